;; Arithmetic on chunks of residues, in WebAssembly with 128-bit SIMD. Compiled into
;; simd-kernel-binary.ts by scripts/generate-simd-kernel.ts; called by simd-kernel.ts.
;;
;; A chunk is at most 64 KiB. The caller copies chunks in and out; the memory never grows:
;;
;;   0x00000  target    residues that are added to
;;   0x10000  operand   residues or keystream words that are added
;;   0x20000  packed    values of b bits, or words that residues are drawn from
;;   0x30000  slack     bytes that whole-word reads and writes at the end of `packed` run into
;;
;; Loops over `target` take whole turns of 16 to 64 bytes and so run over the end of a chunk. Nobody
;; copies what they make of that out. In a region that was not used it stays zero (zero plus or minus
;; zero is zero in each of them), so that overwriting what was used leaves nothing behind.
;;
;; Function names end in the width of a lane in bits. $modulus is R; in the lane of 64 bits all
;; comparisons are unsigned.
(module
  (memory (export "memory") 4 4)

  ;; target += operand, words wrapping around
  (func (export "add32") (param $bytes i32) (local $at i32)
    (loop $turn
      (v128.store (local.get $at)
        (i32x4.add (v128.load (local.get $at)) (v128.load offset=0x10000 (local.get $at))))
      (v128.store offset=0x10 (local.get $at)
        (i32x4.add (v128.load offset=0x10 (local.get $at)) (v128.load offset=0x10010 (local.get $at))))
      (v128.store offset=0x20 (local.get $at)
        (i32x4.add (v128.load offset=0x20 (local.get $at)) (v128.load offset=0x10020 (local.get $at))))
      (v128.store offset=0x30 (local.get $at)
        (i32x4.add (v128.load offset=0x30 (local.get $at)) (v128.load offset=0x10030 (local.get $at))))
      (local.set $at (i32.add (local.get $at) (i32.const 64)))
      (br_if $turn (i32.lt_u (local.get $at) (local.get $bytes)))))

  ;; target -= operand, words wrapping around
  (func (export "subtract32") (param $bytes i32) (local $at i32)
    (loop $turn
      (v128.store (local.get $at)
        (i32x4.sub (v128.load (local.get $at)) (v128.load offset=0x10000 (local.get $at))))
      (v128.store offset=0x10 (local.get $at)
        (i32x4.sub (v128.load offset=0x10 (local.get $at)) (v128.load offset=0x10010 (local.get $at))))
      (v128.store offset=0x20 (local.get $at)
        (i32x4.sub (v128.load offset=0x20 (local.get $at)) (v128.load offset=0x10020 (local.get $at))))
      (v128.store offset=0x30 (local.get $at)
        (i32x4.sub (v128.load offset=0x30 (local.get $at)) (v128.load offset=0x10030 (local.get $at))))
      (local.set $at (i32.add (local.get $at) (i32.const 64)))
      (br_if $turn (i32.lt_u (local.get $at) (local.get $bytes)))))

  (func (export "add64") (param $bytes i32) (local $at i32)
    (loop $turn
      (v128.store (local.get $at)
        (i64x2.add (v128.load (local.get $at)) (v128.load offset=0x10000 (local.get $at))))
      (v128.store offset=0x10 (local.get $at)
        (i64x2.add (v128.load offset=0x10 (local.get $at)) (v128.load offset=0x10010 (local.get $at))))
      (v128.store offset=0x20 (local.get $at)
        (i64x2.add (v128.load offset=0x20 (local.get $at)) (v128.load offset=0x10020 (local.get $at))))
      (v128.store offset=0x30 (local.get $at)
        (i64x2.add (v128.load offset=0x30 (local.get $at)) (v128.load offset=0x10030 (local.get $at))))
      (local.set $at (i32.add (local.get $at) (i32.const 64)))
      (br_if $turn (i32.lt_u (local.get $at) (local.get $bytes)))))

  (func (export "subtract64") (param $bytes i32) (local $at i32)
    (loop $turn
      (v128.store (local.get $at)
        (i64x2.sub (v128.load (local.get $at)) (v128.load offset=0x10000 (local.get $at))))
      (v128.store offset=0x10 (local.get $at)
        (i64x2.sub (v128.load offset=0x10 (local.get $at)) (v128.load offset=0x10010 (local.get $at))))
      (v128.store offset=0x20 (local.get $at)
        (i64x2.sub (v128.load offset=0x20 (local.get $at)) (v128.load offset=0x10020 (local.get $at))))
      (v128.store offset=0x30 (local.get $at)
        (i64x2.sub (v128.load offset=0x30 (local.get $at)) (v128.load offset=0x10030 (local.get $at))))
      (local.set $at (i32.add (local.get $at) (i32.const 64)))
      (br_if $turn (i32.lt_u (local.get $at) (local.get $bytes)))))

  ;; target &= mask, where the mask is given once a word of 64 bits and twice a word of 32
  (func (export "keepBits") (param $bytes i32) (param $mask i64) (local $at i32) (local $lanes v128)
    (local.set $lanes (i64x2.splat (local.get $mask)))
    (loop $turn
      (v128.store (local.get $at) (v128.and (v128.load (local.get $at)) (local.get $lanes)))
      (v128.store offset=0x10 (local.get $at)
        (v128.and (v128.load offset=0x10 (local.get $at)) (local.get $lanes)))
      (local.set $at (i32.add (local.get $at) (i32.const 32)))
      (br_if $turn (i32.lt_u (local.get $at) (local.get $bytes)))))

  ;; target = target + operand mod R, both below R. The sum reaches R exactly where target >= R -
  ;; operand, which unlike the sum does not overflow.
  (func (export "addModulo32") (param $bytes i32) (param $modulus i64)
    (local $at i32) (local $lanes v128) (local $left v128) (local $right v128)
    (local.set $lanes (i32x4.splat (i32.wrap_i64 (local.get $modulus))))
    (loop $turn
      (local.set $left (v128.load (local.get $at)))
      (local.set $right (v128.load offset=0x10000 (local.get $at)))
      (v128.store (local.get $at)
        (i32x4.sub
          (i32x4.add (local.get $left) (local.get $right))
          (v128.and
            (local.get $lanes)
            (i32x4.ge_u (local.get $left) (i32x4.sub (local.get $lanes) (local.get $right))))))
      (local.set $at (i32.add (local.get $at) (i32.const 16)))
      (br_if $turn (i32.lt_u (local.get $at) (local.get $bytes)))))

  (func (export "subtractModulo32") (param $bytes i32) (param $modulus i64)
    (local $at i32) (local $lanes v128) (local $left v128) (local $right v128)
    (local.set $lanes (i32x4.splat (i32.wrap_i64 (local.get $modulus))))
    (loop $turn
      (local.set $left (v128.load (local.get $at)))
      (local.set $right (v128.load offset=0x10000 (local.get $at)))
      (v128.store (local.get $at)
        (i32x4.add
          (i32x4.sub (local.get $left) (local.get $right))
          (v128.and (local.get $lanes) (i32x4.lt_u (local.get $left) (local.get $right)))))
      (local.set $at (i32.add (local.get $at) (i32.const 16)))
      (br_if $turn (i32.lt_u (local.get $at) (local.get $bytes)))))

  ;; SIMD compares 64-bit lanes as signed only; flipping the sign bits of both sides makes that unsigned.
  (func (export "addModulo64") (param $bytes i32) (param $modulus i64)
    (local $at i32) (local $lanes v128) (local $left v128) (local $right v128) (local $signs v128)
    (local.set $lanes (i64x2.splat (local.get $modulus)))
    (local.set $signs (i64x2.splat (i64.const 0x8000000000000000)))
    (loop $turn
      (local.set $left (v128.load (local.get $at)))
      (local.set $right (v128.load offset=0x10000 (local.get $at)))
      (v128.store (local.get $at)
        (i64x2.sub
          (i64x2.add (local.get $left) (local.get $right))
          (v128.and
            (local.get $lanes)
            (i64x2.ge_s
              (v128.xor (local.get $left) (local.get $signs))
              (v128.xor (i64x2.sub (local.get $lanes) (local.get $right)) (local.get $signs))))))
      (local.set $at (i32.add (local.get $at) (i32.const 16)))
      (br_if $turn (i32.lt_u (local.get $at) (local.get $bytes)))))

  (func (export "subtractModulo64") (param $bytes i32) (param $modulus i64)
    (local $at i32) (local $lanes v128) (local $left v128) (local $right v128) (local $signs v128)
    (local.set $lanes (i64x2.splat (local.get $modulus)))
    (local.set $signs (i64x2.splat (i64.const 0x8000000000000000)))
    (loop $turn
      (local.set $left (v128.load (local.get $at)))
      (local.set $right (v128.load offset=0x10000 (local.get $at)))
      (v128.store (local.get $at)
        (i64x2.add
          (i64x2.sub (local.get $left) (local.get $right))
          (v128.and
            (local.get $lanes)
            (i64x2.lt_s
              (v128.xor (local.get $left) (local.get $signs))
              (v128.xor (local.get $right) (local.get $signs))))))
      (local.set $at (i32.add (local.get $at) (i32.const 16)))
      (br_if $turn (i32.lt_u (local.get $at) (local.get $bytes)))))

  ;; Draws values from the first $words words of `packed` into `operand`: a word below the largest
  ;; multiple of R, taken mod R, makes every residue as often. Returns how many there are. R does not
  ;; divide 2^32. Every word is written and one that is not accepted is written over, so that nothing
  ;; branches on a word.
  (func (export "accept32") (param $words i32) (param $modulus i64) (result i32)
    (local $at i32) (local $to i32) (local $word i64) (local $rest i64) (local $limit i64)
    (local $reciprocal i64)
    (local.set $limit
      (i64.sub (i64.const 0x100000000) (i64.rem_u (i64.const 0x100000000) (local.get $modulus))))
    (local.set $reciprocal (i64.div_u (i64.const 0x100000000) (local.get $modulus)))
    (local.set $words (i32.shl (local.get $words) (i32.const 2)))
    (loop $turn
      (local.set $word (i64.load32_u offset=0x20000 (local.get $at)))
      ;; word * floor(2^32 / R) >> 32 is the quotient or one less, so the rest is below 2R.
      (local.set $rest
        (i64.sub
          (local.get $word)
          (i64.mul
            (local.get $modulus)
            (i64.shr_u (i64.mul (local.get $word) (local.get $reciprocal)) (i64.const 32)))))
      (i64.store32 offset=0x10000 (local.get $to)
        (i64.sub
          (local.get $rest)
          (select
            (local.get $modulus)
            (i64.const 0)
            (i64.ge_u (local.get $rest) (local.get $modulus)))))
      (local.set $to
        (i32.add
          (local.get $to)
          (i32.shl (i64.lt_u (local.get $word) (local.get $limit)) (i32.const 2))))
      (local.set $at (i32.add (local.get $at) (i32.const 4)))
      (br_if $turn (i32.lt_u (local.get $at) (local.get $words))))
    (i32.shr_u (local.get $to) (i32.const 2)))

  (func (export "accept64") (param $words i32) (param $modulus i64) (result i32)
    (local $at i32) (local $to i32) (local $word i64) (local $limit i64)
    ;; 2^64 - (2^64 mod R), from 2^64 - R, which has the same rest
    (local.set $limit
      (i64.sub
        (i64.const 0)
        (i64.rem_u (i64.sub (i64.const 0) (local.get $modulus)) (local.get $modulus))))
    (local.set $words (i32.shl (local.get $words) (i32.const 3)))
    (loop $turn
      (local.set $word (i64.load offset=0x20000 (local.get $at)))
      (i64.store offset=0x10000 (local.get $to) (i64.rem_u (local.get $word) (local.get $modulus)))
      (local.set $to
        (i32.add
          (local.get $to)
          (i32.shl (i64.lt_u (local.get $word) (local.get $limit)) (i32.const 3))))
      (local.set $at (i32.add (local.get $at) (i32.const 8)))
      (br_if $turn (i32.lt_u (local.get $at) (local.get $words))))
    (i32.shr_u (local.get $to) (i32.const 3)))

  ;; The position of the first of $count values of `operand` that is not below R, else $count.
  (func (export "firstNotBelow32") (param $count i32) (param $modulus i64) (result i32)
    (local $at i32) (local $end i32)
    (local.set $end (i32.shl (local.get $count) (i32.const 2)))
    (loop $turn
      (if (i64.ge_u (i64.load32_u offset=0x10000 (local.get $at)) (local.get $modulus))
        (then (return (i32.shr_u (local.get $at) (i32.const 2)))))
      (local.set $at (i32.add (local.get $at) (i32.const 4)))
      (br_if $turn (i32.lt_u (local.get $at) (local.get $end))))
    (local.get $count))

  (func (export "firstNotBelow64") (param $count i32) (param $modulus i64) (result i32)
    (local $at i32) (local $end i32)
    (local.set $end (i32.shl (local.get $count) (i32.const 3)))
    (loop $turn
      (if (i64.ge_u (i64.load offset=0x10000 (local.get $at)) (local.get $modulus))
        (then (return (i32.shr_u (local.get $at) (i32.const 3)))))
      (local.set $at (i32.add (local.get $at) (i32.const 8)))
      (br_if $turn (i32.lt_u (local.get $at) (local.get $end))))
    (local.get $count))

  ;; Writes the low $bits (1 to 32) bits of $count values of `operand` into `packed`, least significant
  ;; bit first. A turn writes eight bytes at the current byte; what is beyond the value is zero.
  (func (export "pack32") (param $count i32) (param $bits i32)
    (local $at i32) (local $to i32) (local $used i32) (local $word i64) (local $mask i64)
    (local.set $mask
      (i64.shr_u (i64.const -1) (i64.extend_i32_u (i32.sub (i32.const 64) (local.get $bits)))))
    (local.set $count (i32.shl (local.get $count) (i32.const 2)))
    (loop $turn
      ;; Below 7 + 32 bits.
      (local.set $word
        (i64.or
          (local.get $word)
          (i64.shl
            (i64.and (i64.load32_u offset=0x10000 (local.get $at)) (local.get $mask))
            (i64.extend_i32_u (local.get $used)))))
      (i64.store offset=0x20000 (local.get $to) (local.get $word))
      (local.set $used (i32.add (local.get $used) (local.get $bits)))
      (local.set $to (i32.add (local.get $to) (i32.shr_u (local.get $used) (i32.const 3))))
      (local.set $word
        (i64.shr_u
          (local.get $word)
          (i64.extend_i32_u (i32.and (local.get $used) (i32.const 0x38)))))
      (local.set $used (i32.and (local.get $used) (i32.const 7)))
      (local.set $at (i32.add (local.get $at) (i32.const 4)))
      (br_if $turn (i32.lt_u (local.get $at) (local.get $count)))))

  ;; The same for 1 to 64 bits: with up to 7 bits before it, a value may reach into a ninth byte.
  (func (export "pack64") (param $count i32) (param $bits i32)
    (local $at i32) (local $to i32) (local $used i32) (local $word i64) (local $mask i64)
    (local $value i64) (local $shift i64)
    (local.set $mask
      (i64.shr_u (i64.const -1) (i64.extend_i32_u (i32.sub (i32.const 64) (local.get $bits)))))
    (local.set $count (i32.shl (local.get $count) (i32.const 3)))
    (loop $turn
      (local.set $value (i64.and (i64.load offset=0x10000 (local.get $at)) (local.get $mask)))
      (local.set $shift (i64.extend_i32_u (local.get $used)))
      (local.set $word (i64.or (local.get $word) (i64.shl (local.get $value) (local.get $shift))))
      (i64.store offset=0x20000 (local.get $to) (local.get $word))
      (local.set $used (i32.add (local.get $used) (local.get $bits)))
      (local.set $to (i32.add (local.get $to) (i32.shr_u (local.get $used) (i32.const 3))))
      (local.set $word
        (select
          ;; value >> (64 - shift), in two steps because a shift by 64 is a shift by 0
          (i64.shr_u
            (i64.shr_u (local.get $value) (i64.sub (i64.const 63) (local.get $shift)))
            (i64.const 1))
          (i64.shr_u
            (local.get $word)
            (i64.extend_i32_u (i32.and (local.get $used) (i32.const 0x38))))
          (i32.ge_u (local.get $used) (i32.const 64))))
      (local.set $used (i32.and (local.get $used) (i32.const 7)))
      (local.set $at (i32.add (local.get $at) (i32.const 8)))
      (br_if $turn (i32.lt_u (local.get $at) (local.get $count))))
    ;; The ninth byte of the last value.
    (i64.store offset=0x20000 (local.get $to) (local.get $word)))

  ;; Reads $count values of $bits (1 to 32) bits from `packed` into `operand`.
  (func (export "unpack32") (param $count i32) (param $bits i32)
    (local $to i32) (local $bit i32) (local $mask i64)
    (local.set $mask
      (i64.shr_u (i64.const -1) (i64.extend_i32_u (i32.sub (i32.const 64) (local.get $bits)))))
    (local.set $count (i32.shl (local.get $count) (i32.const 2)))
    (loop $turn
      (i64.store32 offset=0x10000 (local.get $to)
        (i64.and
          (i64.shr_u
            (i64.load offset=0x20000 (i32.shr_u (local.get $bit) (i32.const 3)))
            (i64.extend_i32_u (i32.and (local.get $bit) (i32.const 7))))
          (local.get $mask)))
      (local.set $bit (i32.add (local.get $bit) (local.get $bits)))
      (local.set $to (i32.add (local.get $to) (i32.const 4)))
      (br_if $turn (i32.lt_u (local.get $to) (local.get $count)))))

  (func (export "unpack64") (param $count i32) (param $bits i32)
    (local $to i32) (local $bit i32) (local $mask i64) (local $at i32) (local $shift i64)
    (local.set $mask
      (i64.shr_u (i64.const -1) (i64.extend_i32_u (i32.sub (i32.const 64) (local.get $bits)))))
    (local.set $count (i32.shl (local.get $count) (i32.const 3)))
    (loop $turn
      (local.set $at (i32.shr_u (local.get $bit) (i32.const 3)))
      (local.set $shift (i64.extend_i32_u (i32.and (local.get $bit) (i32.const 7))))
      (i64.store offset=0x10000 (local.get $to)
        (i64.and
          (i64.or
            (i64.shr_u (i64.load offset=0x20000 (local.get $at)) (local.get $shift))
            (i64.shl
              (i64.shl
                (i64.load8_u offset=0x20008 (local.get $at))
                (i64.sub (i64.const 63) (local.get $shift)))
              (i64.const 1)))
          (local.get $mask)))
      (local.set $bit (i32.add (local.get $bit) (local.get $bits)))
      (local.set $to (i32.add (local.get $to) (i32.const 8)))
      (br_if $turn (i32.lt_u (local.get $to) (local.get $count)))))
)
