/**
 * @file Keys for tests only: their primes are public. Fixed, so that no test waits for new ones.
 */

import { importPrivateKey, type PaillierPrivateKey } from '../../../protocols/index.ts';

const SMALL_P = BigInt('0x' + 'd6add70b6b83994f29a30d4159c1ebcb7780e0bab51a60dd70fddeb30123099b');
const SMALL_Q = BigInt('0x' + 'f293e0363c3415a95be00af6df1f22265d155366f2e3a27389aa00b5c15955cd');

const STANDARD_P = BigInt(
  '0x' +
    'c182e7acd1eb28994ae8ba5069f46998aea3ce8c73c21f43b5a8f196992f7d0fe025226ec071c784786388ed' +
    'cd9bf8022d802bd3d770c6d8664deb0b7a0a9e6f31bf73abcff8bdc63d66899ff22d41f00a26e0a716933e97' +
    '24b40117a792f94dd4b2fcb05f45a11e802431fd608fd37359922ed734b5b79d9cb24dc1c8937d9d',
);
const STANDARD_Q = BigInt(
  '0x' +
    'f176da229eb4c9c0698b76bea66dd0da31c6aa1999468c61ebb213aceae01a0ca822f3dbce3c98928815fc0d' +
    'e876961c73c30827e042cf7d7209549add2bc5ac128c75d7284aa3f76b43f01f4e61048de09cbe7cd58e93a4' +
    '8b94a8fca1f1db5fa67b30d0c6586dac8ced023c3cc1fddaba790483be04b845e004a194c78a3561',
);

/** Both 3 modulo 4, so that the key can be proven well-formed. */
export const smallBlumPrimes = primePair(
  'dc32e3cd8c73c525b13b86153b6f5bbb4cca270e83da47176b72cb2b3f11563b',
  'cfe8318ab69c52547753538baec0f8f859764535cc79b5b6fdc37248e0a1f51b',
);
export const standardBlumPrimes = primePair(
  'd35720fbaa2ced2308ecd6cba47319dfc9d9d1e39999e151a2cd42a756d7f69268ac811198ceedf8c160bade' +
    '80b7de735e336a682efa5a92d0cb7d380eae965edf1e5520b83db4b91fde6c7f94929ed64697f1268a56e10b' +
    'e843a74892858234b79ec3c60926f437e1871c02f9c5957fb8d454ce9895796abca87b31ca20908b',
  'e9aef1f1bc9b770ca95ac525fbd3c7015e0833b391709b8e6faf981d286044214faad9597a66fdbbdabf142a' +
    '29f8601d39db9d7bedd76d0a61133d2c3a408a9fe985da6db06ddd5a80c50386eb22d59558db517a1f01ac26' +
    '216ebf27312ee7c921b6202d99ad764e29dc9195b7a0d55ab644ef42e192de66a2e9bd7fbc7e469f',
);

export function primePair(pDigits: string, qDigits: string): { p: bigint; q: bigint; n: bigint } {
  const [p, q] = [BigInt(`0x${pDigits}`), BigInt(`0x${qDigits}`)];
  return { p, q, n: p * q };
}

export const smallPrimes = { p: SMALL_P, q: SMALL_Q, n: SMALL_P * SMALL_Q };
export const standardPrimes = { p: STANDARD_P, q: STANDARD_Q, n: STANDARD_P * STANDARD_Q };

/** 512 bits: insecure and quick. */
export const smallKey: PaillierPrivateKey = importPrivateKey(smallPrimes, {
  allowInsecureModulus: true,
});

/** 512 bits, and provable. */
export const smallBlumKey: PaillierPrivateKey = importPrivateKey(smallBlumPrimes, {
  allowInsecureModulus: true,
});

let standard: PaillierPrivateKey | undefined;

/** 2048 bits. */
export function standardKey(): PaillierPrivateKey {
  standard ??= importPrivateKey(standardPrimes);
  return standard;
}
