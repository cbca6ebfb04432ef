// A bar that moves on a terminal, and stays quiet elsewhere.
export function progress(total) {
  const stream = process.stderr
  let done = 0
  let drawn = -1
  const draw = () => {
    const share = Math.floor((done / Math.max(total, 1)) * 30)
    if (!stream.isTTY || share === drawn) return
    drawn = share
    stream.write(`\r  ${'█'.repeat(share)}${'░'.repeat(30 - share)} ${done}/${total}`)
  }
  draw()
  return {
    tick() {
      done++
      draw()
    },
    end() {
      if (stream.isTTY) stream.write('\r\u001b[K')
    },
  }
}
