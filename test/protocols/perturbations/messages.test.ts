import { describe, expect, it } from 'vitest';
import {
  type DeliveredPerturbations,
  deliveredPerturbationsCodec,
  type SentPerturbations,
  sentPerturbationsCodec,
} from '../../../protocols/index.ts';
import { codeOf, SESSION } from '../support.ts';

const sent: SentPerturbations = {
  kind: 'sent-perturbations',
  session: SESSION,
  round: 4,
  client: 'clients/0',
  transcript: new Uint8Array(32).fill(1),
  perturbations: [
    { peer: 'clients/1 é', sealed: new Uint8Array(20).fill(2) },
    { peer: 'clients/2', sealed: new Uint8Array(16) },
  ],
};

const delivered: DeliveredPerturbations = {
  kind: 'delivered-perturbations',
  session: SESSION,
  round: 4,
  client: 'clients/0',
  perturbations: sent.perturbations,
};

describe.each([
  ['sent perturbations', sentPerturbationsCodec, sent],
  ['delivered perturbations', deliveredPerturbationsCodec, delivered],
] as const)('the message "%s"', (_, codec, message) => {
  const bytes = codec.encode(message as never);

  it('comes back from its bytes, also without any perturbation', () => {
    expect(codec.decode(bytes)).toEqual(message);
    const empty = { ...message, perturbations: [] };
    expect(codec.decode(codec.encode(empty as never))).toEqual(empty);
  });

  it('is refused if it is cut short, wherever, or longer', () => {
    for (let length = 0; length < bytes.length; length += 1) {
      expect(codeOf(codec.decode(bytes.subarray(0, length)))).toBe('malformed-message');
    }
    expect(codeOf(codec.decode(Uint8Array.of(...bytes, 0)))).toBe('malformed-message');
  });

  it('keeps to the limits it is given', () => {
    expect(codeOf(codec.decode(bytes, { clients: 1 }))).toBe('malformed-message');
    expect(codeOf(codec.decode(bytes, { clients: 2 }))).toBe(message.kind);
    expect(codeOf(codec.decode(bytes, { messageBytes: bytes.length - 1 }))).toBe(
      'malformed-message',
    );
  });

  it('is refused with a perturbation shorter than its tag', () => {
    const perturbations = [{ peer: 'clients/1', sealed: new Uint8Array(15) }];
    const short = codec.encode({ ...message, perturbations } as never);
    expect(codeOf(codec.decode(short))).toBe('malformed-message');
  });
});
