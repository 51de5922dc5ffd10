/**
 * @file The part of the Reflect metadata API that @peculiar/x509 asks for when it is loaded: what is
 * defined for a class and a key is found again, at the class or at those that it extends.
 */

const metadata = new WeakMap<object, Map<unknown, unknown>>();

const api = {
  defineMetadata(key: unknown, value: unknown, target: object): void {
    const known = metadata.get(target) ?? new Map<unknown, unknown>();
    metadata.set(target, known.set(key, value));
  },
  getOwnMetadata(key: unknown, target: object): unknown {
    return metadata.get(target)?.get(key);
  },
  getMetadata(key: unknown, target: object): unknown {
    for (let at: object | null = target; at !== null; at = Reflect.getPrototypeOf(at)) {
      const known = metadata.get(at);
      if (known?.has(key)) return known.get(key);
    }
    return undefined;
  },
};

if (!('getMetadata' in Reflect)) Object.assign(Reflect, api);
