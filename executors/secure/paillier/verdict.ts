/** @file What a party says of an input it was given: taken, or refused and why. Not an error: the sum goes on. */

import { type Fault, type MessageCodec, messageCodec } from '../../../protocols/index.ts';
import { malformed } from '../../../protocols/wire/byte-reader.ts';

export interface Verdict {
  readonly kind: 'verdict';
  /** Why the input was refused, if it was. */
  readonly refusal: Pick<Fault, 'code' | 'message'> | undefined;
}

export const verdictCodec: MessageCodec<Verdict> = messageCodec(
  { name: 'verdict', protocol: 2, message: 8, version: 1 },
  (writer, { refusal }) => {
    writer.uint8(refusal === undefined ? 0 : 1);
    if (refusal !== undefined) writer.text(refusal.code).text(refusal.message);
  },
  (reader) => {
    const refused = reader.uint8();
    if (refused > 1) throw malformed(`a flag of ${refused}`);
    if (refused === 0) return { kind: 'verdict', refusal: undefined };
    const code = reader.text(TEXT_LIMIT);
    return { kind: 'verdict', refusal: { code, message: reader.text(TEXT_LIMIT) } };
  },
);

const TEXT_LIMIT = 4096;
