declare module 'virtual:icons' {
  /** The chosen lucide icons by name, each as its SVG nodes. */
  export const icons: Record<string, [tag: string, attributes: Record<string, string>][]>
}
