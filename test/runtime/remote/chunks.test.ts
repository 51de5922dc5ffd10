/** @file Messages that go in chunks, and come in chunks. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Assembly, ByteBudget } from '../../../runtime/remote/envelope/assembly.ts';
import { PieceReader } from '../../../runtime/remote/envelope/piece-reader.ts';
import { bytesOf } from './envelope.helpers.ts';

describe('a message in pieces', () => {
  it('is read in chunks of any size', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 6 }),
        fc.array(fc.integer({ min: 1, max: 15 }), { minLength: 1 }),
        (pieces, sizes) => {
          const reader = new PieceReader(pieces);
          const read: number[] = [];
          let left = pieces.reduce((sum, { length }) => sum + length, 0);
          for (let i = 0; left > 0; i += 1) {
            const length = Math.min(left, sizes[i % sizes.length] as number);
            for (const piece of reader.take(length)) read.push(...piece);
            left -= length;
          }
          expect(read).toEqual(pieces.flatMap((piece) => [...piece]));
          expect(() => reader.take(1)).toThrow(RangeError);
        },
      ),
    );
  });
});

describe('an assembly', () => {
  it('is the message, whatever its chunks; and gives back what it took', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 4096, max: 9000 }), { maxLength: 8 }),
        fc.integer({ min: 0, max: 9000 }),
        (sizes, last) => {
          const message = bytesOf(sizes.reduce((sum, size) => sum + size, last));
          const budget = new ByteBudget(message.length);
          const assembly = new Assembly(message.length, message.length, budget);
          let offset = 0;
          let whole: Uint8Array | null = null;
          for (const size of message.length === offset ? [0] : [...sizes, last]) {
            if (whole !== null) break;
            whole = assembly.add(offset, message.subarray(offset, offset + size));
            offset += size;
          }
          expect(Buffer.compare(whole ?? bytesOf(1), message)).toBe(0);
          expect(budget.used).toBe(message.length);
          assembly.release();
          assembly.release();
          expect(budget.used).toBe(0);
        },
      ),
      { numRuns: 50 },
    );
  });

  it('takes no memory for what is announced', () => {
    const budget = new ByteBudget(2 ** 40);
    const before = process.memoryUsage().arrayBuffers;
    const assemblies = Array.from({ length: 100 }, () => new Assembly(2 ** 30, 2 ** 30, budget));
    for (const assembly of assemblies) assembly.add(0, bytesOf(4096));
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 25);
    expect(budget.used).toBe(100 * 4096);
  });

  it('takes memory for the rest when a quarter has come, and frees the frames of what it has', () => {
    const length = 2 ** 20;
    const [message, budget] = [bytesOf(length), new ByteBudget(2 ** 40)];
    const assembly = new Assembly(length, length, budget);
    const frames: Uint8Array[] = [];
    let whole: Uint8Array | null = null;
    for (let offset = 0; offset < length; offset += 2 ** 17) {
      const frame = message.slice(offset, offset + 2 ** 17);
      frames.push(frame);
      whole = assembly.add(offset, frame, true);
      const hasQuarter = offset >= 2 ** 17;
      expect(frames.every((each) => (each.length === 0) === hasQuarter)).toBe(true);
    }
    expect(Buffer.compare(whole ?? bytesOf(1), message)).toBe(0);
  });

  it('does not keep a frame that is much longer than its chunk', () => {
    const frame = new Uint8Array(2 ** 20);
    const chunk = frame.subarray(10, 20);
    const message = new Assembly(10, 10, new ByteBudget(10)).add(0, chunk);
    expect(message?.buffer.byteLength).toBe(10);
  });

  it.each([
    [0, 5000, 1, 'transport.invalid_argument'],
    [4096, 0, 10, 'transport.invalid_argument'],
    [0, 10_001, 0, 'transport.invalid_argument'],
    [2 ** 52, 5000, 0, 'transport.invalid_argument'],
    [0, 10_000, 9000, 'transport.resource_exhausted'],
  ])('refuses a chunk at %d of %d bytes', (offset, length, taken, code) => {
    const budget = new ByteBudget(10_000);
    const assembly = new Assembly(10_000, 10_000, budget);
    if (taken === 9000) budget.take(taken);
    else if (taken > 0) assembly.add(0, bytesOf(5000));
    expect(() => assembly.add(offset, bytesOf(length))).toThrow(expect.objectContaining({ code }));
  });
});
