import { useLayoutEffect, useRef, useState } from 'preact/hooks'

/** The width of an element in px, followed as it changes. */
export function useWidth(initial = 360) {
  const ref = useRef<HTMLDivElement>(null)
  const [width, setWidth] = useState(initial)
  useLayoutEffect(() => {
    const element = ref.current
    if (!element) return
    setWidth(Math.floor(element.getBoundingClientRect().width) || initial)
    const observer = new ResizeObserver(([entry]) => setWidth(Math.floor(entry!.contentRect.width) || initial))
    observer.observe(element)
    return () => observer.disconnect()
  }, [initial])
  return [ref, width] as const
}
