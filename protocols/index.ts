/** @file The public names of the protocols room: secure aggregation as mathematics and state machines. */

export * from './crypto/bytes.ts';
export { deterministicRng, uniformBelow, uniformBits } from './crypto/random.ts';
export { SecretBytes } from './crypto/secret.ts';
export * from './masking/mask-kernel.ts';
export * from './masking/mask-key.ts';
export * from './residues/arithmetic.ts';
export * from './residues/residues.ts';
