/** @file Shamir's secret sharing over F_p, p = 2^255 - 19. */

export { randomFieldElement } from './field-element.ts';
export { reconstructSecret, type Share } from './reconstruct.ts';
export { type SharingParameters, splitSecret } from './split.ts';
