package main

import (
	"context"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hibiken/asynq"
	"golang.org/x/sys/unix"
)

func micros(clock int32) int64 {
	var now unix.Timespec
	must(unix.ClockGettime(clock, &now))
	return now.Nano() / 1000
}

func nowUs() int64 { return micros(unix.CLOCK_MONOTONIC) }

func cpuUs() int64 { return micros(unix.CLOCK_PROCESS_CPUTIME_ID) }

// Not getrusage: its peak is at least what the parent had when it forked us.
func peakRss() int64 {
	status, err := os.ReadFile("/proc/self/status")
	must(err)
	_, after, _ := strings.Cut(string(status), "VmHWM:")
	kilobytes, err := strconv.ParseInt(strings.Fields(after)[0], 10, 64)
	must(err)
	return kilobytes * 1024
}

// tally counts the jobs done, and has the handlers that do them.
type tally struct {
	done, us  atomic.Int64
	mutex     sync.Mutex
	latencies []int64
}

func (t *tally) handler(job func(payload []byte)) asynq.HandlerFunc {
	return func(_ context.Context, task *asynq.Task) error {
		job(task.Payload())
		t.us.Store(nowUs())
		t.done.Add(1)
		return nil
	}
}

func (t *tally) handlers() asynq.Handler {
	mux := asynq.NewServeMux()
	mux.Handle("noop", t.handler(func([]byte) {}))
	mux.Handle("take", t.handler(func([]byte) {}))
	mux.Handle("sleep1", t.handler(func([]byte) { time.Sleep(time.Millisecond) }))
	mux.Handle("probe", t.handler(func(payload []byte) {
		now := nowUs()
		sent, err := strconv.ParseInt(string(payload), 10, 64)
		must(err)
		t.mutex.Lock()
		defer t.mutex.Unlock()
		t.latencies = append(t.latencies, now-sent)
	}))
	return mux
}

func (t *tally) report(told int64) int64 {
	if done := t.done.Load(); done != told {
		told = done
		emit(message{"done": done, "us": t.us.Load(), "cpuUs": cpuUs(), "rss": peakRss()})
	}
	return told
}
