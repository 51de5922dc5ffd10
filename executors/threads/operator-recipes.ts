/**
 * @file Operators in a worker. A function cannot be sent to another thread, so an operator that may
 * run there carries a recipe by which it is made again: the name of a family, and its options.
 */

import type { Operator, OperatorRecipe } from '../leaf/operator.ts';
import { maskingOperators } from '../secure/masking-operators.ts';
import { paillierOperatorsOfRecipe } from '../secure/paillier-operators.ts';
import { perturbationOperators } from '../secure/perturbations-operators.ts';
import { quantizationOperators } from '../secure/quantization/operators.ts';
import { secAggOperatorsOfRecipe } from '../secure/secagg/operators.ts';

/**
 * The operators of all recipes.
 * @throws TypeError for a family that this package does not have.
 */
export function makeOperators(recipes: readonly OperatorRecipe[]): readonly Operator[] {
  return recipes.flatMap(({ family, options }) => {
    const make = FAMILIES[family];
    if (make === undefined) throw new TypeError(`There is no family of operators '${family}'.`);
    return make(options);
  });
}

const FAMILIES: {
  readonly [family: string]: ((options: unknown) => readonly Operator[]) | undefined;
} = {
  // Each recipe is written by the protocol that made the operators, with the options it made them of.
  masking: (options) => maskingOperators(options as Parameters<typeof maskingOperators>[0]),
  paillier: (options) =>
    paillierOperatorsOfRecipe(options as Parameters<typeof paillierOperatorsOfRecipe>[0]),
  perturbations: (options) =>
    perturbationOperators(options as Parameters<typeof perturbationOperators>[0]),
  quantization: (options) =>
    quantizationOperators(options as Parameters<typeof quantizationOperators>[0]),
  secagg: (options) =>
    secAggOperatorsOfRecipe(options as Parameters<typeof secAggOperatorsOfRecipe>[0]),
};
