import { describe, expect, it } from 'vitest';
import { concatBytes, fromHex, toHex } from '../../../protocols/index.ts';
import { WITHOUT_VECTORS, type WycheproofGroup, wycheproof, wycheproofGroups } from '../support.ts';
import {
  aesGcmImplementations,
  ed25519Implementations,
  hkdfImplementations,
  webCryptographyHas,
  x25519Implementations,
} from './implementations.ts';

interface Vector {
  readonly tcId: number;
  readonly result: 'valid' | 'invalid' | 'acceptable';
  readonly flags: readonly string[];
}

interface X25519Vector extends Vector {
  readonly public: string;
  readonly private: string;
  readonly shared: string;
}

interface Ed25519Vector extends Vector {
  readonly msg: string;
  readonly sig: string;
}

interface Ed25519Group extends WycheproofGroup<Ed25519Vector> {
  readonly publicKey: { readonly pk: string };
}

interface AesGcmVector extends Vector {
  readonly key: string;
  readonly iv: string;
  readonly aad: string;
  readonly msg: string;
  readonly ct: string;
  readonly tag: string;
}

interface HkdfVector extends Vector {
  readonly ikm: string;
  readonly salt: string;
  readonly info: string;
  readonly size: number;
  readonly okm: string;
}

const x25519Vectors = wycheproof<X25519Vector>('x25519_test.json');
const ed25519Groups = wycheproofGroups<Ed25519Group>('ed25519_test.json');
const aesGcmVectors = wycheproof<AesGcmVector>('aes_gcm_test.json');
const hkdfVectors = wycheproof<HkdfVector>('hkdf_sha256_test.json');

const lacks = async (name: string, curve: 'X25519' | 'Ed25519') =>
  name === 'Web Cryptography' && !(await webCryptographyHas(curve));

describe.skipIf(!x25519Vectors)(`Wycheproof X25519 (${WITHOUT_VECTORS})`, () => {
  // What Wycheproof calls acceptable (points of the twist, keys that are not reduced) RFC 7748 asks
  // for, all but the shared secret of zeros, which it lets one refuse and which we do refuse.
  it.for(x25519Implementations)(
    '$name agrees with every vector',
    async ({ name, agree, expected }, { skip }) => {
      if (await lacks(name, 'X25519')) skip("this runtime's Web Cryptography lacks X25519");
      const tally = { agreed: 0, refused: 0 };
      for (const vector of x25519Vectors!) {
        const [secretKey, publicKey, shared] = [
          fromHex(vector.private),
          fromHex(vector.public),
          fromHex(vector.shared),
        ];
        const given = await agree(secretKey, publicKey);
        if (shared.every((byte) => byte === 0)) {
          expect(given, `${vector.tcId}`).toBeUndefined();
          tally.refused += 1;
        } else {
          expect(given, `${vector.tcId}`).toEqual(expected(secretKey, publicKey, shared));
          tally.agreed += 1;
        }
      }
      expect(tally).toEqual({ agreed: 487, refused: 31 });
    },
  );
});

describe.skipIf(!ed25519Groups)(`Wycheproof Ed25519 (${WITHOUT_VECTORS})`, () => {
  it.for(ed25519Implementations)(
    '$name judges every signature alike',
    async ({ name, verify }, { skip }) => {
      if (await lacks(name, 'Ed25519')) skip("this runtime's Web Cryptography lacks Ed25519");
      const tally = { valid: 0, invalid: 0 };
      for (const { publicKey, tests } of ed25519Groups!) {
        for (const { tcId, msg, sig, result } of tests) {
          const verdict = await verify(fromHex(publicKey.pk), fromHex(msg), fromHex(sig));
          expect(verdict, `${tcId}`).toBe(result === 'valid');
          tally[verdict ? 'valid' : 'invalid'] += 1;
        }
      }
      expect(tally).toEqual({ valid: 88, invalid: 63 });
    },
  );
});

describe.skipIf(!aesGcmVectors)(`Wycheproof AES-GCM (${WITHOUT_VECTORS})`, () => {
  const isOurs = ({ key, iv }: AesGcmVector) => key.length !== 48 && iv.length === 24;

  it.each(aesGcmImplementations)(
    '$name seals and opens every vector of our sizes',
    async ({ seal, open }) => {
      const tally = { valid: 0, invalid: 0 };
      for (const vector of aesGcmVectors!.filter(isOurs)) {
        const [key, iv, aad, message] = [vector.key, vector.iv, vector.aad, vector.msg].map(
          fromHex,
        );
        const sealed = concatBytes(fromHex(vector.ct), fromHex(vector.tag));
        const opened = await open(key!, iv!, aad!, sealed);
        if (vector.result === 'valid') {
          expect(opened, `${vector.tcId}`).toEqual(message);
          expect(await seal(key!, iv!, aad!, message!), `${vector.tcId}`).toEqual(sealed);
          tally.valid += 1;
        } else {
          expect(opened, `${vector.tcId}`).toBeUndefined();
          tally.invalid += 1;
        }
      }
      expect(tally).toEqual({ valid: 79, invalid: 54 });
    },
  );

  // Web Cryptography takes nonces of any length; those who call it here give it 12 bytes.
  it.each(aesGcmImplementations.filter(({ name }) => name !== 'Web Cryptography'))(
    '$name refuses the keys of 24 bytes and the nonces that are not 12',
    async ({ seal, open }) => {
      const others = aesGcmVectors!.filter((vector) => !isOurs(vector));
      expect(others.length).toBe(183);
      for (const { tcId, key, iv, aad, msg, ct, tag } of others) {
        const [keyBytes, nonce, aadBytes] = [fromHex(key), fromHex(iv), fromHex(aad)];
        const sealed = concatBytes(fromHex(ct), fromHex(tag));
        expect(await open(keyBytes, nonce, aadBytes, sealed), `${tcId}`).toBeUndefined();
        expect(await seal(keyBytes, nonce, aadBytes, fromHex(msg)), `${tcId}`).toBeUndefined();
      }
    },
  );
});

describe.skipIf(!hkdfVectors)(`Wycheproof HKDF-SHA256 (${WITHOUT_VECTORS})`, () => {
  it.each(hkdfImplementations)('$name derives every vector', async ({ derive }) => {
    const tally = { derived: 0, refused: 0 };
    for (const { tcId, ikm, salt, info, size, okm, result } of hkdfVectors!) {
      const output = await derive(fromHex(ikm), fromHex(salt), fromHex(info), size);
      if (result === 'invalid') expect(output, `${tcId}`).toBeUndefined();
      else expect(output && toHex(output), `${tcId}`).toBe(okm);
      tally[output === undefined ? 'refused' : 'derived'] += 1;
    }
    expect(tally).toEqual({ derived: 83, refused: 3 });
  });
});
