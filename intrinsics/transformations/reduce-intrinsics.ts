/** @file Replaces composite intrinsics by what they are made of. */

import {
  type BuildingBlock,
  block,
  call,
  type Intrinsic,
  lambda,
  selection,
  structBlock,
} from '../../computations/building-blocks.ts';
import type { FunctionType } from '../../computations/types/index.ts';
import { INTRINSICS } from '../table.ts';

/**
 * @param handles URIs of the composite intrinsics that stay.
 * @returns a block of the same type and meaning in which every other intrinsic is a primitive. Each
 *   names the composite one that it comes from as its origin, and keeps where that was called.
 */
export function reduceIntrinsics(
  node: BuildingBlock,
  handles: ReadonlySet<string> = NONE,
): BuildingBlock {
  const visit = (inner: BuildingBlock, origin?: Origin): BuildingBlock => {
    switch (inner.kind) {
      case 'intrinsic': {
        const definition = INTRINSICS.get(inner.uri);
        if (definition?.reduce === undefined || handles.has(inner.uri)) {
          return origin === undefined ? withoutOrigin(inner) : { ...inner, ...origin };
        }
        // A reduction may be made of composite intrinsics in its turn.
        const made = definition.reduce(inner.type as FunctionType);
        return visit(made, origin ?? originOf(inner));
      }
      case 'selection':
        return selection(visit(inner.source, origin), inner.index);
      case 'struct':
        return structBlock(
          inner.elements.map(({ name, value }) => ({ name, value: visit(value, origin) })),
        );
      case 'call':
        return call(
          visit(inner.function, origin),
          inner.argument === null ? null : visit(inner.argument, origin),
        );
      case 'lambda': {
        const result = visit(inner.result, origin);
        const { parameter } = inner.type;
        return inner.parameter === null || parameter === null
          ? lambda(null, null, result)
          : lambda(inner.parameter, parameter, result);
      }
      case 'block': {
        const locals = inner.locals.map(({ name, value }) => ({
          name,
          value: visit(value, origin),
        }));
        return block(locals, visit(inner.result, origin));
      }
      default:
        return inner;
    }
  };
  return visit(node);
}

/** What the user wrote: the composite intrinsic, and where it was called. */
type Origin = Pick<Intrinsic, 'source'> & Required<Pick<Intrinsic, 'origin'>>;

function originOf({ uri, source }: Intrinsic): Origin {
  return source === undefined ? { origin: uri } : { origin: uri, source };
}

/**
 * Only this reduction says where a primitive comes from. Stacks decide by it what may run, so what a
 * computation from elsewhere claims of itself counts for nothing.
 */
function withoutOrigin({ origin: _, ...rest }: Intrinsic): Intrinsic {
  return rest;
}

const NONE: ReadonlySet<string> = new Set();
