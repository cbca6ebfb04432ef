import { useLayoutEffect, useRef, useState } from 'preact/hooks'
import type { RefObject } from 'preact'

/** The width of an element in px, followed as it changes. */
export function useWidth<T extends Element>(initial = 360): [RefObject<T>, number] {
  const ref = useRef<T>(null)
  const [width, setWidth] = useState(initial)
  useLayoutEffect(() => {
    const element = ref.current
    if (!element) return
    setWidth(Math.floor(element.getBoundingClientRect().width) || initial)
    const observer = new ResizeObserver(([entry]) => setWidth(Math.floor(entry!.contentRect.width) || initial))
    observer.observe(element)
    return () => observer.disconnect()
  }, [initial])
  return [ref, width]
}
