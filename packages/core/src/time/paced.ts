/**
 * Makes a call that anybody can ask for at any rate: it runs at once, and for all who ask within `pauseMs` once
 * more after it. Messages of channels that anybody may write to come by the thousand.
 */
export function paced(act: () => void, pauseMs: number): () => void {
  let timer: NodeJS.Timeout | undefined
  let isAskedAgain = false
  const run = () => {
    isAskedAgain = false
    timer = setTimeout(() => {
      timer = undefined
      if (isAskedAgain) run()
    }, pauseMs)
    timer.unref()
    act()
  }
  return () => {
    if (timer) isAskedAgain = true
    else run()
  }
}
