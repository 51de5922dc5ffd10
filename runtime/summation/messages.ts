/**
 * @file The envelope in which the steps of a round travel between the server and a client, so that a
 * client has one method for all of them. A request names its step and session, an answer repeats them,
 * and a refusal says with a code and a few words why there is no answer.
 */

import {
  type DecodingFault,
  type DecodingLimits,
  type MessageCodec,
  messageCodec,
  type SecAggServerStage,
} from '../../protocols/index.ts';
import { type ByteReader, malformed } from '../../protocols/wire/byte-reader.ts';
import type { ByteWriter } from '../../protocols/wire/byte-writer.ts';
import { readUnsigned, writeUnsigned } from '../../protocols/wire/unsigned.ts';
import {
  type IntegerTensorTask,
  MOST_CONTEXT,
  MOST_DIMENSIONS,
  MOST_NAME_BYTES,
  MOST_TENSORS,
  type SummationTask,
  type TensorTask,
} from './task.ts';

/** `leave`: the round is over, or goes on without this client. */
export type SummationStep = SecAggServerStage | 'leave';

/** Server to client. */
export interface SummationRequest {
  readonly kind: 'request';
  readonly step: SummationStep;
  /** 16 to 64 bytes. */
  readonly session: Uint8Array;
  /** An encoded task, in the first step of a session; empty in the others. */
  readonly task: Uint8Array;
  /** The message of the protocol. */
  readonly body: Uint8Array;
}

/** Client to server. */
export interface SummationAnswer {
  readonly kind: 'answer';
  readonly step: SummationStep;
  readonly session: Uint8Array;
  readonly body: Uint8Array;
}

/** Client to server, too: it does not do the step, and is out of the round. */
export interface SummationRefusal {
  readonly kind: 'refusal';
  /** `undefined` where the request could not be read. */
  readonly step: SummationStep | undefined;
  readonly session: Uint8Array;
  /** Lower-case words with hyphens: that of a fault of the protocol, or one of this service. */
  readonly code: string;
  /** For people. It comes from the client: nothing is known about it but its length. */
  readonly message: string;
}

export type SummationReply = SummationAnswer | SummationRefusal;

/** Which protocol, in the frame of a message. */
const PROTOCOL = 6;

export const requestCodec: MessageCodec<SummationRequest> = messageCodec(
  { name: 'summation request', protocol: PROTOCOL, message: 1, version: 1 },
  (writer, { step, session, task, body }) => {
    writer.uint8(STEPS.indexOf(step)).bytes(session).bytes(task).raw(body);
  },
  (reader) => {
    const step = readStep(reader);
    const session = readSession(reader);
    const task = reader.bytes(reader.remaining);
    if (task.length > 0 !== (step === 'advertise')) {
      throw malformed('a task comes with the first step, and with no other');
    }
    return { kind: 'request', step, session, task, body: reader.raw(reader.remaining) };
  },
);

const answerCodec: MessageCodec<SummationAnswer> = messageCodec(
  { name: 'summation answer', protocol: PROTOCOL, message: 2, version: 1 },
  (writer, { step, session, body }) => {
    writer.uint8(STEPS.indexOf(step)).bytes(session).raw(body);
  },
  (reader) => ({
    kind: 'answer',
    step: readStep(reader),
    session: readSession(reader),
    body: reader.raw(reader.remaining),
  }),
);

const refusalCodec: MessageCodec<SummationRefusal> = messageCodec(
  { name: 'summation refusal', protocol: PROTOCOL, message: 3, version: 1 },
  (writer, { step, session, code, message }) => {
    writer.uint8(step === undefined ? UNREADABLE : STEPS.indexOf(step));
    writer.bytes(session).text(code).text(message);
  },
  (reader) => {
    const number = reader.uint8();
    const step = STEPS[number];
    if (step === undefined && number !== UNREADABLE) throw malformed('no known step');
    const session = step === undefined ? reader.bytes(0) : readSession(reader);
    const code = reader.text(MOST_CODE_BYTES);
    if (!/^[a-z][a-z0-9-]*$/.test(code)) throw malformed('a code that is none');
    return { kind: 'refusal', step, session, code, message: reader.text(MOST_MESSAGE_BYTES) };
  },
);

/** What a client says: an answer or a refusal. */
export const replyCodec: MessageCodec<SummationReply> = {
  encode: (reply) =>
    reply.kind === 'answer'
      ? answerCodec.encode(reply)
      : refusalCodec.encode({ ...reply, message: shortened(reply.message) }),
  decode(bytes: Uint8Array, limits?: DecodingLimits): SummationReply | DecodingFault {
    // The fourth byte of a frame tells its message.
    return bytes[3] === REFUSAL
      ? refusalCodec.decode(bytes, limits)
      : answerCodec.decode(bytes, limits);
  },
};

export const taskCodec: MessageCodec<SummationTask> = messageCodec(
  { name: 'summation task', protocol: PROTOCOL, message: 4, version: 1 },
  (writer, task) => {
    writer.uint8(KINDS.indexOf(task.kind)).bytes(task.context).uint16(task.tensors.length);
    for (const tensor of task.tensors) {
      writer.text(tensor.name).uint8(tensor.shape.length);
      for (const size of tensor.shape) writer.uint32(size);
      if ('maximum' in tensor) writeUnsigned(writer, (tensor as IntegerTensorTask).maximum);
    }
    if (task.kind === 'weighted-mean') {
      for (const option of QUANTIZATION) writeDouble(writer, task.quantization[option]);
    }
  },
  (reader, limits) => {
    const kind = KINDS[reader.uint8()];
    if (kind === undefined) throw malformed('no known task');
    const context = reader.bytes(MOST_CONTEXT);
    const count = reader.uint16();
    if (count > Math.min(MOST_TENSORS, limits.vectors)) throw malformed(`${count} tensors`);
    let values = 0;
    const tensors = Array.from({ length: count }, (): IntegerTensorTask => {
      const tensor = readTensor(reader);
      values += tensor.length;
      if (values > limits.values) throw malformed(`tensors of ${values} values`);
      return { ...tensor, maximum: kind === 'sum' ? readUnsigned(reader, 64) : 0n };
    });
    if (kind === 'sum') return { kind, context, tensors };
    const [clippingRange = 0, quantizationRange = 0, maxWeight = 0, modulusRange = 0] =
      QUANTIZATION.map(() => readDouble(reader));
    return {
      kind,
      context,
      tensors: tensors.map(({ maximum: _, ...tensor }) => tensor),
      quantization: { clippingRange, quantizationRange, maxWeight, modulusRange },
    };
  },
);

function readTensor(reader: ByteReader): TensorTask {
  const name = reader.text(MOST_NAME_BYTES);
  const dimensions = reader.uint8();
  if (dimensions > MOST_DIMENSIONS) throw malformed(`a shape of ${dimensions} dimensions`);
  const shape = Array.from({ length: dimensions }, () => reader.uint32());
  return { name, shape, length: shape.reduce((product, size) => product * size, 1) };
}

function readStep(reader: ByteReader): SummationStep {
  const step = STEPS[reader.uint8()];
  if (step === undefined) throw malformed('no known step');
  return step;
}

function readSession(reader: ByteReader): Uint8Array {
  const session = reader.bytes(64);
  if (session.length < 16) throw malformed(`a session of ${session.length} bytes`);
  return session;
}

function writeDouble(writer: ByteWriter, value: number): void {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setFloat64(0, value);
  writer.raw(bytes);
}

function readDouble(reader: ByteReader): number {
  const value = new DataView(reader.raw(8).buffer).getFloat64(0);
  // NaN has many encodings, and is no parameter.
  if (Number.isNaN(value)) throw malformed('a parameter that is no number');
  return value;
}

/** As much of a text as a refusal may carry. */
function shortened(message: string): string {
  let text = message.slice(0, MOST_MESSAGE_BYTES / 4);
  // Half of a pair has no UTF-8 of its own.
  if (/[\uD800-\uDBFF]$/.test(text)) text = text.slice(0, -1);
  return text;
}

const STEPS: readonly SummationStep[] = [
  'advertise',
  'choose-neighbours',
  'share-keys',
  'mask-vectors',
  'confirm-survivors',
  'unmask',
  'leave',
];
const UNREADABLE = 255;
const REFUSAL = 3;
const KINDS = ['weighted-mean', 'sum'] as const;
const QUANTIZATION = ['clippingRange', 'quantizationRange', 'maxWeight', 'modulusRange'] as const;
const MOST_CODE_BYTES = 64;
const MOST_MESSAGE_BYTES = 2_048;
