import { useEffect, useState } from 'preact/hooks'
import type { ComponentType, JSX } from 'preact'
import { Failure, Waiting } from './parts.tsx'
import { ApiFailure } from '../api/client.ts'

/** A component that is loaded when it is first shown. A file that does not arrive can be asked for again. */
export function lazy<P extends object>(load: () => Promise<ComponentType<P>>): ComponentType<P> {
  let loaded: ComponentType<P> | undefined
  return function Lazy(props: P): JSX.Element {
    const [, draw] = useState(0)
    const [failed, setFailed] = useState(false)
    const start = () => {
      setFailed(false)
      load().then(
        (component) => {
          loaded = component
          draw((n) => n + 1)
        },
        () => setFailed(true),
      )
    }
    useEffect(() => {
      if (!loaded) start()
    }, [])
    if (loaded) {
      const Component = loaded
      return <Component {...props} />
    }
    if (!failed) return <Waiting />
    return (
      <Failure
        of={
          new ApiFailure(
            'unreachable',
            'This part of the dashboard could not be loaded; the server may have been updated. Load the page again.',
            0,
          )
        }
        retry={start}
      />
    )
  }
}
