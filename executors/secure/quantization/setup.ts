/**
 * @file What the server tells a client before the client quantises its value. It settles nothing: a
 * client has its own parameters and compares, so that a server with others is refused and the sum
 * cannot be read on the wrong scale.
 */

import type { Quantization } from '../../../protocols/index.ts';
import type { ByteReader } from '../../../protocols/wire/byte-reader.ts';
import { malformed } from '../../../protocols/wire/byte-reader.ts';
import type { ByteWriter } from '../../../protocols/wire/byte-writer.ts';
import { type MessageCodec, messageCodec } from '../../../protocols/wire/message-codec.ts';

export type SharedParameter = 'clippingRange' | 'quantizationRange' | 'maxWeight' | 'modulusRange';

export interface QuantizationSetup {
  /** How many clients take part. */
  readonly clients: number;
  readonly parameters: Pick<Quantization, SharedParameter>;
  readonly countsClipped: boolean;
}

export const quantizationSetupCodec: MessageCodec<QuantizationSetup> = messageCodec(
  { name: 'quantisation set-up', protocol: 0, message: 3, version: 1 },
  (writer, { clients, parameters, countsClipped }) => {
    writer.uint32(clients).uint8(countsClipped ? 1 : 0);
    for (const name of SHARED_PARAMETERS) writeDouble(writer, parameters[name]);
  },
  (reader, limits) => {
    const clients = reader.uint32();
    if (clients < 1 || clients > limits.clients) throw malformed(`a cohort of ${clients} clients`);
    const counts = reader.uint8();
    if (counts > 1) throw malformed('a truth value that is none');
    const [clippingRange = 0, quantizationRange = 0, maxWeight = 0, modulusRange = 0] =
      SHARED_PARAMETERS.map(() => readDouble(reader));
    return {
      clients,
      parameters: { clippingRange, quantizationRange, maxWeight, modulusRange },
      countsClipped: counts === 1,
    };
  },
);

/** In the order in which they travel. */
export const SHARED_PARAMETERS: readonly SharedParameter[] = [
  'clippingRange',
  'quantizationRange',
  'maxWeight',
  'modulusRange',
];

function writeDouble(writer: ByteWriter, value: number): void {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setFloat64(0, value);
  writer.raw(bytes);
}

function readDouble(reader: ByteReader): number {
  const view = new DataView(reader.raw(8).buffer);
  const value = view.getFloat64(0);
  // Of the encodings of NaN one is taken, to be refused by name where parameters are checked.
  if (Number.isNaN(value) && view.getBigUint64(0) !== QUIET_NAN) {
    throw malformed('a parameter of no number');
  }
  return value;
}

const QUIET_NAN = 0x7ff8n << 48n;
