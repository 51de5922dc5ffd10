/** @file Shamir's secret sharing over F_p, p = 2^255 - 19. */

export { sharesAgree } from './agreement.ts';
export { randomFieldElement } from './field-element.ts';
export { reconstructSecret } from './reconstruct.ts';
export { type CheckedSecret, reconstructChecked } from './reconstruct-checked.ts';
export type { Share } from './share.ts';
export { type SharingParameters, splitSecret } from './split.ts';
