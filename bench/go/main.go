// The peer of asynq: `<command> <role> <options as JSON>`, one role of the benchmark per process.
package main

import (
	"bufio"
	"encoding/json"
	"log"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hibiken/asynq"
)

const (
	library    = "github.com/hibiken/asynq"
	reportTick = 50 * time.Millisecond
	fillWidth  = 1000
)

type options struct {
	Redis, Queue, Mode, Fn string
	Workers, Concurrency   int
	Count, Warm, Width     int
	PayloadBytes, DeferMs  int
	EveryMs                float64
	PerTick                int
}

type message map[string]any

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func emit(line message) {
	must(json.NewEncoder(os.Stdout).Encode(line))
}

func connection(o options) asynq.RedisConnOpt {
	redis, err := asynq.ParseRedisURI(o.Redis)
	must(err)
	return redis
}

type producer struct {
	client *asynq.Client
	o      options
}

func (p producer) send(name string, payload []byte) {
	opts := []asynq.Option{asynq.Queue(p.o.Queue)}
	if p.o.DeferMs > 0 {
		opts = append(opts, asynq.ProcessIn(time.Duration(p.o.DeferMs)*time.Millisecond))
	}
	_, err := p.client.Enqueue(asynq.NewTask(name, payload), opts...)
	must(err)
}

func (p producer) sendMany(mode string, count, width int) {
	var payload []byte
	if p.o.Fn == "take" {
		payload = []byte(strings.Repeat("x", p.o.PayloadBytes))
	}
	if mode == "one" {
		for range count {
			p.send(p.o.Fn, payload)
		}
		return
	}
	for sent := 0; sent < count; sent += width {
		var group sync.WaitGroup
		for range min(width, count-sent) {
			group.Go(func() { p.send(p.o.Fn, payload) })
		}
		group.Wait()
	}
}

func (p producer) enqueue() {
	if p.o.Mode == "bulk" {
		emit(message{"unsupported": "asynq has no call that enqueues several jobs"})
		return
	}
	p.sendMany(p.o.Mode, p.o.Warm, p.o.Width)
	us, cpu := nowUs(), cpuUs()
	p.sendMany(p.o.Mode, p.o.Count, p.o.Width)
	emit(message{"count": p.o.Count, "us": nowUs() - us, "cpuUs": cpuUs() - cpu, "rss": peakRss()})
}

func (p producer) fill() {
	p.sendMany("concurrent", p.o.Count, fillWidth)
	emit(message{"filled": p.o.Count})
}

func (p producer) produce() {
	var group sync.WaitGroup
	start, tick := time.Now(), time.Duration(p.o.EveryMs*float64(time.Millisecond))
	for sent := 0; sent < p.o.Count; sent += p.o.PerTick {
		time.Sleep(time.Until(start.Add(time.Duration(sent/p.o.PerTick) * tick)))
		for range min(p.o.PerTick, p.o.Count-sent) {
			payload := strconv.AppendInt(nil, nowUs(), 10)
			group.Go(func() { p.send("probe", payload) })
		}
	}
	group.Wait()
	emit(message{"sent": p.o.Count})
}

func work(o options) {
	t := &tally{latencies: []int64{}}
	var servers []*asynq.Server
	for range o.Workers {
		server := asynq.NewServer(connection(o), asynq.Config{
			Concurrency: o.Concurrency,
			Queues:      map[string]int{o.Queue: 1},
			LogLevel:    asynq.FatalLevel,
			// The default of one second is what an idle pickup takes then.
			TaskCheckInterval: time.Millisecond,
		})
		must(server.Start(t.handlers()))
		servers = append(servers, server)
	}
	emit(message{"ready": true})
	stop := make(chan struct{})
	go func() {
		bufio.NewReader(os.Stdin).ReadString('\n')
		close(stop)
	}()
	var told int64
	for tick, running := time.Tick(reportTick), true; running; {
		select {
		case <-tick:
			told = t.report(told)
		case <-stop:
			running = false
		}
	}
	var group sync.WaitGroup
	for _, server := range servers {
		group.Go(server.Shutdown)
	}
	group.Wait()
	t.report(told)
	emit(message{"latenciesUs": t.latencies})
}

func version() {
	info, _ := debug.ReadBuildInfo()
	for _, module := range info.Deps {
		if module.Path == library {
			emit(message{"name": "asynq", "version": strings.TrimPrefix(module.Version, "v")})
		}
	}
}

func main() {
	o := options{Fn: "noop", Width: 1000}
	must(json.Unmarshal([]byte(os.Args[2]), &o))
	switch role := os.Args[1]; role {
	case "version":
		version()
	case "work":
		work(o)
	default:
		client := asynq.NewClient(connection(o))
		defer client.Close()
		must(client.Ping())
		p := producer{client, o}
		roles := map[string]func(){"enqueue": p.enqueue, "fill": p.fill, "produce": p.produce}
		roles[role]()
	}
}
