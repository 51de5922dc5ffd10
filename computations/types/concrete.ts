/**
 * @file Whether a type is an instance of an intrinsic's signature: `({T}@CLIENTS -> T@SERVER)`.
 * Rules of TensorFlow Federated's `check_concrete_instance_of` (federated_language/types/type_analysis.py).
 */

import { isAssignable, isEquivalent, isIdentical } from './assignability.ts';
import { compactNotation } from './compact.ts';
import { FederatedTypeError } from './errors.ts';
import { markedPart } from './marked-notation.ts';
import { elementStep, type TypePath } from './type-path.ts';
import { containsType, type Type } from './types.ts';

/**
 * True for a variable of a signature, whose label starts with a capital letter (`T`, `Accumulator`).
 * Any other abstract type (`mask_state`) names a kind of value that stays in its executor; it is as
 * concrete as a tensor type, and equal to itself only.
 */
export function isTypeVariable(type: Type): boolean {
  return type.kind === 'abstract' && /^[A-Z]/.test(type.label);
}

/**
 * What each type variable of `generic` stands for in `concrete`.
 *
 * Everything that is not a variable must be the same on both sides: kinds, tensor types, names of
 * struct elements, placements, all_equal. A use of a variable inside an odd number of function
 * parameters defines it: a value of that type comes in there. All defining uses must be equivalent;
 * any other use must be assignable from the definition. A variable that is never defined may be used
 * once only, and then stands for that use.
 *
 * @param concrete a type without type variables.
 * @param generic the signature.
 * @param what names the owner of `concrete` in messages, e.g. `The intrinsic federated_sum`.
 * @returns the bindings by label.
 * @throws FederatedTypeError `type.not_concrete` with both compact types, and the label or the parts that differ.
 */
export function requireConcreteInstance(
  concrete: Type,
  generic: Type,
  what: string,
): ReadonlyMap<string, Type> {
  const matcher = new Matcher(concrete, generic, what);
  if (containsType(concrete, isTypeVariable))
    throw matcher.mismatch('a type variable is left in it');
  matcher.match(generic, concrete, false, []);
  return matcher.bindings();
}

class Matcher {
  readonly #concrete: Type;
  readonly #generic: Type;
  readonly #what: string;
  readonly #definitions = new Map<string, Type>();
  readonly #uses: { readonly label: string; readonly type: Type; readonly path: TypePath }[] = [];

  constructor(concrete: Type, generic: Type, what: string) {
    this.#concrete = concrete;
    this.#generic = generic;
    this.#what = what;
  }

  /**
   * @param defining true inside an odd number of function parameters.
   * @param path leads to `generic` in the signature, and to `concrete` in the given type.
   */
  match(generic: Type, concrete: Type, defining: boolean, path: TypePath): void {
    const differ = (aspect: string): FederatedTypeError =>
      this.mismatch(
        `${compactNotation(concrete)} differs from ${compactNotation(generic)} in its ${aspect}`,
        path,
      );
    switch (generic.kind) {
      case 'struct': {
        if (concrete.kind !== 'struct') throw differ('kind');
        if (concrete.elements.length !== generic.elements.length) throw differ('length');
        for (const [index, element] of generic.elements.entries()) {
          const given = concrete.elements[index];
          // A signature without names takes any: a function's parameters keep the names they have.
          const fits =
            given !== undefined && (element.name === null || given.name === element.name);
          if (!fits) throw differ('element names');
          this.match(element.type, given.type, defining, [...path, elementStep(index, given.name)]);
        }
        return;
      }
      case 'sequence':
        if (concrete.kind !== 'sequence') throw differ('kind');
        this.match(generic.element, concrete.element, defining, [...path, { kind: 'each' }]);
        return;
      case 'function': {
        if (concrete.kind !== 'function') throw differ('kind');
        if ((generic.parameter === null) !== (concrete.parameter === null)) {
          throw differ('parameter');
        }
        if (generic.parameter !== null && concrete.parameter !== null) {
          this.match(generic.parameter, concrete.parameter, !defining, [
            ...path,
            { kind: 'parameter' },
          ]);
        }
        this.match(generic.result, concrete.result, defining, [...path, { kind: 'result' }]);
        return;
      }
      case 'federated':
        if (concrete.kind !== 'federated') throw differ('kind');
        if (concrete.placement !== generic.placement) throw differ('placement');
        if (concrete.allEqual !== generic.allEqual) throw differ('all_equal');
        this.match(generic.member, concrete.member, defining, [...path, { kind: 'member' }]);
        return;
      case 'abstract':
        if (isTypeVariable(generic)) this.#use(generic.label, concrete, defining, path);
        else if (!isIdentical(generic, concrete)) throw differ('type');
        return;
      case 'tensor':
      case 'placement':
        if (!isIdentical(generic, concrete)) throw differ('type');
    }
  }

  bindings(): ReadonlyMap<string, Type> {
    const bindings = new Map(this.#definitions);
    for (const { label, type, path } of this.#uses) {
      const definition = this.#definitions.get(label);
      if (definition === undefined) {
        if (bindings.has(label))
          throw this.mismatch(`${label} is used twice, but no parameter defines it`, path);
        bindings.set(label, type);
      } else if (!isAssignable(type, definition)) {
        throw this.mismatch(
          `${label} stands for ${compactNotation(definition)}, which is not assignable to ${compactNotation(type)}`,
          path,
        );
      }
    }
    return bindings;
  }

  mismatch(reason: string, path: TypePath = []): FederatedTypeError {
    const lines = [
      ...markedPart('signature: ', this.#generic, path),
      ...markedPart('given:     ', this.#concrete, path),
    ];
    return new FederatedTypeError(
      'type.not_concrete',
      `${this.#what} has a type that is no instance of its signature: ${reason}.\n${lines.join('\n')}`,
      { expected: compactNotation(this.#generic), given: compactNotation(this.#concrete) },
    );
  }

  #use(label: string, type: Type, defining: boolean, path: TypePath): void {
    if (!defining) {
      this.#uses.push({ label, type, path });
      return;
    }
    const definition = this.#definitions.get(label);
    if (definition === undefined) {
      this.#definitions.set(label, type);
    } else if (!isEquivalent(definition, type)) {
      throw this.mismatch(
        `${label} stands for both ${compactNotation(definition)} and ${compactNotation(type)}`,
        path,
      );
    }
  }
}
