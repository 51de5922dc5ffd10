/**
 * @file The part of the Reflect metadata proposal that the dependency container of @peculiar/x509 asks for
 * while it is loaded: metadata that is defined for a class and a key is found at the class and at those
 * that extend it. Loaded only together with that library, and only where nothing better is there.
 */

const known = new WeakMap<object, Map<unknown, unknown>>();

const metadata = {
  defineMetadata(key: unknown, value: unknown, target: object): void {
    const own = known.get(target) ?? new Map<unknown, unknown>();
    own.set(key, value);
    known.set(target, own);
  },
  getOwnMetadata(key: unknown, target: object): unknown {
    return known.get(target)?.get(key);
  },
  getMetadata(key: unknown, target: object): unknown {
    let current: object | null = target;
    while (current !== null) {
      const own = known.get(current);
      if (own?.has(key)) return own.get(key);
      current = Reflect.getPrototypeOf(current);
    }
    return undefined;
  },
};

for (const [name, value] of Object.entries(metadata)) {
  if (name in Reflect) continue;
  Object.defineProperty(Reflect, name, { value, configurable: true, writable: true });
}
