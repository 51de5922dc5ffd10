/** @file Putting a form together again: calls of its parts, with errors that name the part. */

import {
  type BuildingBlock,
  type Call,
  call,
  childBlocks,
} from '../../computations/building-blocks.ts';
import {
  compactNotation,
  FormError,
  isAssignable,
  type Type,
} from '../../computations/types/index.ts';
import type { IntrinsicDefinition } from '../definition.ts';
import { INTRINSICS } from '../table.ts';

/**
 * A call of a part of a form.
 * @throws FormError `form.part` if the part does not take such an argument.
 */
export function callPart(
  part: BuildingBlock,
  name: string,
  argument: BuildingBlock | null = null,
): Call {
  const { type } = part;
  const taken = type.kind === 'function' ? type.parameter : null;
  const fits =
    type.kind === 'function' &&
    (taken === null || argument === null
      ? taken === null && argument === null
      : isAssignable(taken, argument.type));
  if (fits) return call(part, argument);
  const expected = argument === null ? '( -> T)' : `(${compactNotation(argument.type)} -> T)`;
  throw wrongPart(name, 'does not fit the parts before it', expected, type);
}

/** @throws FormError `form.part` unless the result of a part may stand for `type`. */
export function requirePartResult(node: BuildingBlock, name: string, type: Type): void {
  if (isAssignable(type, node.type)) return;
  throw wrongPart(name, 'returns something else', compactNotation(type), node.type);
}

/**
 * @param fits says which intrinsics the part may consist of.
 * @throws FormError `form.part` if the part calls another one.
 */
export function requireOnlyIntrinsics(
  part: BuildingBlock,
  name: string,
  fits: (definition: IntrinsicDefinition) => boolean,
): void {
  const visit = (node: BuildingBlock): void => {
    if (node.kind === 'intrinsic') {
      const definition = INTRINSICS.get(node.uri);
      if (definition === undefined || !fits(definition)) {
        throw new FormError(
          'form.part',
          `The part '${name}' calls ${node.uri}, which does not belong there.`,
          { part: name },
        );
      }
    }
    for (const child of childBlocks(node)) visit(child);
  };
  visit(part);
}

function wrongPart(name: string, problem: string, expected: string, given: Type): FormError {
  return new FormError(
    'form.part',
    `The part '${name}' ${problem}.\n  expected: ${expected}\n  given:    ${compactNotation(given)}`,
    { part: name },
  );
}
