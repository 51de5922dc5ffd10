/** @file What a cohort agrees on before it masks: its size, and each vector's length, bound and modulus. */

import { bitLength } from '../crypto/bytes.ts';
import { ProtocolError } from '../errors.ts';
import {
  type IntegerVector,
  modulusForSum,
  type Residues,
  residuesFrom,
} from '../residues/residues.ts';
import type { ByteReader } from '../wire/byte-reader.ts';
import { malformed } from '../wire/byte-reader.ts';
import type { ByteWriter } from '../wire/byte-writer.ts';
import { type DecodingLimits, IDENTITY_LIMIT } from '../wire/message-codec.ts';
import { readUnsigned, writeUnsigned } from '../wire/unsigned.ts';

/** A vector whose sum must be exact. */
export interface SumVector {
  readonly kind: 'sum';
  /** Unique within the parameters. */
  readonly id: string;
  readonly length: number;
  /** The largest value a client may put in, for all elements or one for each. */
  readonly maximum: bigint | readonly bigint[];
  /** R, above every possible sum; `modulusForSum` gives the fastest. */
  readonly modulus: bigint;
}

/** A vector whose sum is taken modulo R; values are in [0, R). */
export interface ModularVector {
  readonly kind: 'modular-sum';
  readonly id: string;
  readonly length: number;
  readonly modulus: bigint;
}

export type MaskedVector = SumVector | ModularVector;

export interface MaskingParameters {
  /** Exactly how many clients take part. */
  readonly clients: number;
  readonly vectors: readonly MaskedVector[];
}

/** A sum of `clients` values up to `maximum` with the fastest sufficient modulus. */
export function sumVector(
  id: string,
  length: number,
  maximum: bigint | readonly bigint[],
  clients: number,
): SumVector {
  return { kind: 'sum', id, length, maximum, modulus: modulusForSum(largest(maximum), clients) };
}

export type ParametersProblem = {
  readonly code: 'invalid-parameters' | 'modulus-too-small';
  readonly message: string;
};

/** Finds what is wrong with parameters that somebody else chose, or nothing. */
export function problemOfParameters(parameters: MaskingParameters): ParametersProblem | undefined {
  const { clients, vectors } = parameters;
  const invalid = (message: string): ParametersProblem => ({ code: 'invalid-parameters', message });
  if (!Number.isSafeInteger(clients) || clients < 1 || clients > 2 ** 32 - 1) {
    return invalid(`a cohort has at least one client, got ${clients}`);
  }
  if (vectors.length === 0) return invalid('there is no vector to sum');
  const ids = new Set<string>();
  for (const vector of vectors) {
    const { id, length, modulus } = vector;
    if (ids.has(id)) return invalid(`two vectors are called "${id}"`);
    ids.add(id);
    if (!Number.isSafeInteger(length) || length < 0 || length > 2 ** 32 - 1) {
      return invalid(`vector "${id}" cannot have the length ${length}`);
    }
    if (modulus < 2n) return invalid(`vector "${id}" has the modulus ${modulus}, below 2`);
    if (vector.kind === 'modular-sum') continue;
    const { maximum } = vector;
    if (typeof maximum !== 'bigint' && maximum.length !== length) {
      return invalid(`vector "${id}" has ${length} elements and ${maximum.length} maxima`);
    }
    if (typeof maximum === 'bigint' ? maximum < 0n : maximum.some((bound) => bound < 0n)) {
      return invalid(`vector "${id}" has a maximum below 0`);
    }
    const largestSum = largest(maximum) * BigInt(clients);
    if (modulus <= largestSum) {
      return {
        code: 'modulus-too-small',
        message:
          `the sum of ${clients} values of vector "${id}" can reach ${bitLength(largestSum)} bits and its ` +
          `modulus ${modulus} does not hold it; use a modulus above ${largestSum}, fewer clients or a smaller maximum`,
      };
    }
  }
  return undefined;
}

/**
 * Takes a client's plain integers for one vector.
 * @throws ProtocolError `invalid-length`, `not-an-integer`, `out-of-range`
 */
export function inputResidues(vector: MaskedVector, values: IntegerVector): Residues {
  if (values.length !== vector.length) {
    throw new ProtocolError(
      'invalid-length',
      `vector "${vector.id}" has ${vector.length} elements, got ${values.length}`,
    );
  }
  return vector.kind === 'sum'
    ? residuesFrom(values, vector.modulus, vector.maximum)
    : residuesFrom(values, vector.modulus);
}

export type InputProblemCode =
  | 'wrong-vector-count'
  | 'invalid-length'
  | 'not-an-integer'
  | 'out-of-range';

export interface InputProblem {
  readonly code: InputProblemCode;
  readonly message: string;
}

/** Takes a client's plain integers for all vectors, or says what is wrong with them. */
export function inputsOf(
  { vectors }: MaskingParameters,
  inputs: readonly IntegerVector[],
): Residues[] | InputProblem {
  if (inputs.length !== vectors.length) {
    return {
      code: 'wrong-vector-count',
      message: `${vectors.length} vectors are to be summed, got ${inputs.length}`,
    };
  }
  try {
    return vectors.map((vector, i) => inputResidues(vector, inputs[i]!));
  } catch (error) {
    if (
      error instanceof ProtocolError &&
      (error.code === 'invalid-length' ||
        error.code === 'not-an-integer' ||
        error.code === 'out-of-range')
    ) {
      return { code: error.code, message: error.message };
    }
    throw error;
  }
}

export function writeParameters(writer: ByteWriter, parameters: MaskingParameters): void {
  writer.uint32(parameters.clients).uint32(parameters.vectors.length);
  for (const vector of parameters.vectors) {
    writer.text(vector.id).uint32(vector.length);
    writeUnsigned(writer, vector.modulus);
    if (vector.kind === 'modular-sum') {
      writer.uint8(MODULAR);
    } else if (typeof vector.maximum === 'bigint') {
      writeUnsigned(writer.uint8(ONE_MAXIMUM), vector.maximum);
    } else {
      writer.uint8(MAXIMUM_EACH);
      for (const bound of vector.maximum) writeUnsigned(writer, bound);
    }
  }
}

export function readParameters(
  reader: ByteReader,
  limits: Required<DecodingLimits>,
): MaskingParameters {
  const clients = reader.uint32();
  const count = reader.count(limits.vectors, LEAST_VECTOR_BYTES);
  let values = 0;
  const vectors = Array.from({ length: count }, (): MaskedVector => {
    const id = reader.text(IDENTITY_LIMIT);
    const length = reader.uint32();
    values += length;
    if (values > limits.values) throw malformed(`the vectors up to "${id}" have ${values} values`);
    const modulus = readUnsigned(reader, limits.modulusBits);
    const kind = reader.uint8();
    if (kind === MODULAR) return { kind: 'modular-sum', id, length, modulus };
    if (kind === ONE_MAXIMUM) {
      return {
        kind: 'sum',
        id,
        length,
        modulus,
        maximum: readUnsigned(reader, limits.modulusBits),
      };
    }
    if (kind !== MAXIMUM_EACH || 2 * length > reader.remaining) {
      throw malformed(`vector "${id}" has no known bound`);
    }
    const maximum = Array.from({ length }, () => readUnsigned(reader, limits.modulusBits));
    return { kind: 'sum', id, length, modulus, maximum };
  });
  return { clients, vectors };
}

function largest(maximum: bigint | readonly bigint[]): bigint {
  if (typeof maximum === 'bigint') return maximum;
  let most = 0n;
  for (const bound of maximum) if (bound > most) most = bound;
  return most;
}

const MODULAR = 0;
const ONE_MAXIMUM = 1;
const MAXIMUM_EACH = 2;
/** Two lengths, a modulus of one byte and its length, and the kind. */
const LEAST_VECTOR_BYTES = 12;
