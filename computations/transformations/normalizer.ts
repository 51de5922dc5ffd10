/**
 * @file Evaluates building blocks as far as syntax goes: references, blocks, selections and called
 * lambdas disappear, and what remains are calls of functions whose inside is not syntax. Each of
 * these is bound to a name, once (normalisation by evaluation, Berger and Schwichtenberg 1991).
 */

import {
  type BuildingBlock,
  block,
  call,
  type Lambda,
  lambda,
  literal,
  reference,
  selection,
  structBlock,
} from '../building-blocks.ts';
import { freeReferences } from '../free-references.ts';
import type { FunctionType, StructType, Type } from '../types/index.ts';
import { structOf } from '../types/index.ts';
import type { NameSource } from './names.ts';
import { type IntrinsicPurity, isPure } from './purity.ts';
import { structuralKey } from './structural-key.ts';

/** What a building block means: a function with what it captures, a struct, or a block without calls. */
export type Meaning = Closure | StructMeaning | Plain;

interface Closure {
  readonly kind: 'closure';
  readonly lambda: Lambda;
  readonly environment: Environment;
}

interface StructMeaning {
  readonly kind: 'struct';
  readonly elements: readonly { readonly name: string | null; readonly value: Meaning }[];
}

/** A reference, a selection of one, or anything that is no syntax. */
interface Plain {
  readonly kind: 'plain';
  readonly block: BuildingBlock;
}

/** The innermost binding, and those around it. */
export type Environment = Binding | null;

interface Binding {
  readonly name: string;
  readonly meaning: Meaning;
  readonly outer: Environment;
}

export function bind(name: string, meaning: Meaning, outer: Environment): Environment {
  return { name, meaning, outer };
}

export function plain(node: BuildingBlock): Meaning {
  return { kind: 'plain', block: node };
}

/** The calls that a body makes, in order, each with the name that its result is bound to. */
export class Calls {
  readonly #locals: { readonly name: string; readonly value: BuildingBlock }[] = [];
  readonly #known = new Map<string, BuildingBlock>();
  readonly #impure = new Set<string>();

  /** What is bound, in the order of the calls. */
  get locals(): readonly { readonly name: string; readonly value: BuildingBlock }[] {
    return this.#locals;
  }

  /** Binds a call, or finds the pure one that is equal to it. */
  add(value: BuildingBlock, pure: boolean, names: NameSource): BuildingBlock {
    const key = pure ? structuralKey(value) : null;
    const known = key === null ? undefined : this.#known.get(key);
    if (known !== undefined) return known;
    const name = names.fresh();
    const result = reference(name, value.type);
    this.#locals.push({ name, value });
    if (key === null) this.#impure.add(name);
    else this.#known.set(key, result);
    return result;
  }

  /** A body with this result; pure calls that nothing needs are left out. */
  close(result: BuildingBlock): BuildingBlock {
    const used = new Set(freeReferences(result));
    const kept: { readonly name: string; readonly value: BuildingBlock }[] = [];
    for (const local of this.#locals.toReversed()) {
      if (!used.has(local.name) && !this.#impure.has(local.name)) continue;
      for (const name of freeReferences(local.value)) used.add(name);
      kept.push(local);
    }
    return kept.length === 0 ? result : block(kept.reverse(), result);
  }
}

export class Normalizer {
  readonly names: NameSource;
  readonly #isPureIntrinsic: IntrinsicPurity;
  // A function that is used in several places is written out once; the names in it are made unique later.
  readonly #written = new WeakMap<Closure, Lambda>();

  constructor(isPureIntrinsic: IntrinsicPurity, names: NameSource) {
    this.#isPureIntrinsic = isPureIntrinsic;
    this.names = names;
  }

  /** @param calls where the calls go that the block makes. */
  evaluate(node: BuildingBlock, environment: Environment, calls: Calls): Meaning {
    switch (node.kind) {
      case 'reference':
        return lookUp(node.name, environment) ?? plain(node);
      case 'selection':
        return this.select(this.evaluate(node.source, environment, calls), node.index);
      case 'struct':
        return {
          kind: 'struct',
          elements: node.elements.map(({ name, value }) => ({
            name,
            value: this.evaluate(value, environment, calls),
          })),
        };
      case 'call': {
        const fn = this.evaluate(node.function, environment, calls);
        const argument =
          node.argument === null ? null : this.evaluate(node.argument, environment, calls);
        return this.apply(fn, argument, calls);
      }
      case 'lambda':
        return { kind: 'closure', lambda: node, environment };
      case 'block': {
        let inner = environment;
        for (const { name, value } of node.locals) {
          inner = bind(name, this.evaluate(value, inner, calls), inner);
        }
        return this.evaluate(node.result, inner, calls);
      }
      case 'data':
        // Bound like a call, so that it is looked for once.
        return plain(node.type.kind === 'function' ? node : calls.add(node, true, this.names));
      default:
        return plain(node);
    }
  }

  apply(fn: Meaning, argument: Meaning | null, calls: Calls): Meaning {
    if (fn.kind === 'closure') {
      const { parameter, result, type } = fn.lambda;
      if (parameter === null || argument === null || type.parameter === null) {
        return this.evaluate(result, fn.environment, calls);
      }
      const given = this.named(argument, type.parameter);
      return this.evaluate(result, bind(parameter, given, fn.environment), calls);
    }
    const node = call(this.write(fn), argument === null ? null : this.write(argument));
    return plain(calls.add(node, isPure(node, this.#isPureIntrinsic), this.names));
  }

  select(source: Meaning, index: number): Meaning {
    if (source.kind === 'struct') {
      const element = source.elements[index];
      if (element !== undefined) return element.value;
    } else if (source.kind === 'plain') {
      const { block: node } = source;
      if (node.kind !== 'literal' || node.value.kind !== 'struct') {
        return plain(selection(node, index));
      }
      const value = node.value.elements[index];
      const type = node.type.kind === 'struct' ? node.type.elements[index]?.type : undefined;
      if (value !== undefined && type !== undefined) return plain(literal(value, type));
    }
    throw new RangeError(`A selection of element ${index}, which is not there.`);
  }

  /**
   * The meaning with the names that the elements of `type` have: where unnamed elements stand for
   * named ones, a body that takes a parameter may rely on its names.
   */
  named(meaning: Meaning, type: Type): Meaning {
    if (type.kind !== 'struct' || meaning.kind === 'closure') return meaning;
    if (meaning.kind === 'plain' && hasNamesOf(meaning.block.type, type)) return meaning;
    return {
      kind: 'struct',
      elements: type.elements.map((element, index) => ({
        name: element.name,
        value: this.named(this.select(meaning, index), element.type),
      })),
    };
  }

  /** A building block of this meaning. */
  write(meaning: Meaning): BuildingBlock {
    switch (meaning.kind) {
      case 'plain':
        return meaning.block;
      case 'struct':
        return structBlock(
          meaning.elements.map(({ name, value }) => ({ name, value: this.write(value) })),
        );
      case 'closure': {
        const known = this.#written.get(meaning);
        if (known !== undefined) return known;
        const written = this.#writeClosure(meaning);
        this.#written.set(meaning, written);
        return written;
      }
    }
  }

  typeOf(meaning: Meaning): Type {
    switch (meaning.kind) {
      case 'plain':
        return meaning.block.type;
      case 'closure':
        return meaning.lambda.type;
      case 'struct':
        return structOf(
          meaning.elements.map(({ name, value }) => ({ name, type: this.typeOf(value) })),
        );
    }
  }

  #writeClosure({ lambda: source, environment }: Closure): Lambda {
    const { parameter, result, type } = source;
    const calls = new Calls();
    if (parameter === null || type.parameter === null) {
      return lambda(null, null, this.#writeBody(result, environment, calls, type));
    }
    // Names are kept where they can be; a name that is taken already would capture references.
    const name = this.names.take(parameter) ? parameter : this.names.fresh();
    const inner = bind(parameter, plain(reference(name, type.parameter)), environment);
    return lambda(name, type.parameter, this.#writeBody(result, inner, calls, type));
  }

  #writeBody(
    result: BuildingBlock,
    environment: Environment,
    calls: Calls,
    type: FunctionType,
  ): BuildingBlock {
    const meaning = this.evaluate(result, environment, calls);
    return calls.close(this.write(this.named(meaning, type.result)));
  }
}

function lookUp(name: string, environment: Environment): Meaning | null {
  for (let binding = environment; binding !== null; binding = binding.outer) {
    if (binding.name === name) return binding.meaning;
  }
  return null;
}

function hasNamesOf(given: Type, wanted: StructType): boolean {
  return (
    given.kind === 'struct' &&
    given.elements.every(({ name, type }, index) => {
      const element = wanted.elements[index];
      if (element === undefined || element.name !== name) return false;
      return element.type.kind !== 'struct' || hasNamesOf(type, element.type);
    })
  );
}
