/** @file Backends in a browser: no native add-on, wasm files beside the page's script. */

/** A page has no environment variables. */
export function environmentVariable(_name: string): string | undefined {
  return undefined;
}

/** There is no native backend in a browser. */
export async function importNative(): Promise<void> {
  throw new Error('The native backend runs in Node only.');
}

/** `null`: tfjs looks beside the script, unless `loadBackend({ wasmFolder })` says otherwise. */
export function wasmFolder(): string | null {
  return null;
}

/** A page has no process-wide handlers. */
export async function withoutProcessHandlers<T>(action: () => Promise<T>): Promise<T> {
  return action();
}
