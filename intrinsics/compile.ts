/** @file Makes a computation ready for an executor stack: composite intrinsics become primitives. */

import {
  type Block,
  type BuildingBlock,
  call,
  type Intrinsic,
  lambda,
  selection,
  structBlock,
} from '../computations/building-blocks.ts';
import type { FunctionType } from '../computations/types/index.ts';
import { INTRINSICS } from './table.ts';

/**
 * @param handles URIs of the composite intrinsics that the stack wants to see itself.
 * @returns a building block of the same type and meaning, in which every other intrinsic is a primitive.
 */
export function compileForExecution(
  node: BuildingBlock,
  handles: ReadonlySet<string> = NONE,
): BuildingBlock {
  const visit = (block: BuildingBlock, origin?: Origin): BuildingBlock => {
    switch (block.kind) {
      case 'intrinsic': {
        const definition = INTRINSICS.get(block.uri);
        if (definition?.reduce === undefined || handles.has(block.uri)) {
          return origin === undefined ? block : { ...block, ...origin };
        }
        // A reduction may be made of composite intrinsics in its turn.
        return visit(definition.reduce(block.type as FunctionType), origin ?? originOf(block));
      }
      case 'selection':
        return selection(visit(block.source, origin), block.index);
      case 'struct':
        return structBlock(
          block.elements.map(({ name, value }) => ({ name, value: visit(value, origin) })),
        );
      case 'call':
        return call(
          visit(block.function, origin),
          block.argument === null ? null : visit(block.argument, origin),
        );
      case 'lambda': {
        const result = visit(block.result, origin);
        const { parameter } = block.type;
        return block.parameter === null || parameter === null
          ? lambda(null, null, result)
          : lambda(block.parameter, parameter, result);
      }
      case 'block': {
        const locals = block.locals.map(({ name, value }) => ({
          name,
          value: visit(value, origin),
        }));
        const result = visit(block.result, origin);
        return { kind: 'block', locals, result, type: result.type } satisfies Block;
      }
      default:
        return block;
    }
  };
  return visit(node);
}

/** What the user wrote: the composite intrinsic, and where it was called. */
type Origin = Pick<Intrinsic, 'source'> & Required<Pick<Intrinsic, 'origin'>>;

function originOf({ uri, origin = uri, source }: Intrinsic): Origin {
  return source === undefined ? { origin } : { origin, source };
}

const NONE: ReadonlySet<string> = new Set();
