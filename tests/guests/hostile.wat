;; Guests that take what they can, an export each. The memory is small and may grow.
(module
  (import "mote" "respond" (func $respond (param i32 i32 i32 i32 i32) (result i32)))
  (import "mote" "sleep" (func $sleep (param i64) (result i32)))
  (memory (export "memory") 1)
  (table $table 1 funcref)
  (type $nothing (func))
  (data (i32.const 16) "survived\n")

  (func $answer
    (drop (call $respond (i32.const 200) (i32.const 0) (i32.const 0) (i32.const 16) (i32.const 9))))

  (func $recurse (export "recurse") (call $recurse))

  (func $recurse_wide (param i64 i64 i64 i64 i64 i64 i64 i64) (result i64)
    (i64.add (local.get 0)
      (call $recurse_wide (local.get 7) (local.get 6) (local.get 5) (local.get 4)
                          (local.get 3) (local.get 2) (local.get 1) (local.get 0))))
  (func (export "recurse_wide")
    (drop (call $recurse_wide (i64.const 1) (i64.const 2) (i64.const 3) (i64.const 4)
                              (i64.const 5) (i64.const 6) (i64.const 7) (i64.const 8))))

  ;; A host function at every depth: the host's part of the stack counts too.
  (func $recurse_host (export "recurse_host")
    (drop (call $sleep (i64.const -1)))
    (call $recurse_host))

  (func (export "grow_by_one")
    (loop $again
      (br_if $again (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
    (call $answer))

  (func (export "grow_at_once")
    (drop (memory.grow (i32.const 65535)))
    (call $answer))

  ;; Touches every page that it gets.
  (func (export "grow_and_touch") (local $page i32)
    (loop $again
      (local.set $page (memory.grow (i32.const 1)))
      (i32.store (i32.shl (local.get $page) (i32.const 16)) (i32.const 1))
      (br $again)))

  (func (export "grow_nothing") (local $i i32)
    (loop $again
      (drop (memory.grow (i32.const 0)))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $again (i32.lt_u (local.get $i) (i32.const 100000))))
    (call $answer))

  (func (export "table_grow")
    (loop $again
      (br_if $again (i32.ne (table.grow $table (ref.null func) (i32.const 1000)) (i32.const -1))))
    (call $answer))

  (func (export "table_grow_at_once")
    (drop (table.grow $table (ref.null func) (i32.const 0x7fffffff)))
    (call $answer))

  (func (export "read_outside")
    (drop (i32.load (i32.const 0x7ffffff0)))
    (call $answer))

  (func (export "write_outside")
    (i32.store (i32.const 65534) (i32.const 1))
    (call $answer))

  (func (export "read_far_outside")
    (drop (i64.load offset=0xfffffff0 (i32.const 0xffffffff)))
    (call $answer))

  (func (export "fill_outside")
    (memory.fill (i32.const 65000) (i32.const 1) (i32.const 0xffffffff))
    (call $answer))

  (func (export "call_nothing")
    (call_indirect (type $nothing) (i32.const 0))
    (call $answer))

  (func (export "call_outside_the_table")
    (call_indirect (type $nothing) (i32.const 1000000))
    (call $answer))

  (func (export "divide_by_zero")
    (drop (i32.div_s (i32.const 1) (i32.const 0)))
    (call $answer))

  (func (export "divide_overflow")
    (drop (i32.div_s (i32.const 0x80000000) (i32.const -1)))
    (call $answer))

  (func (export "convert")
    (drop (i32.trunc_f64_s (f64.const nan)))
    (call $answer))

  (func (export "spin") (loop $again (br $again)))

  ;; Long work inside single instructions: each must be bounded, and ticks must come between them.
  (func (export "fill_for_ever")
    (drop (memory.grow (i32.const 500)))
    (loop $again
      (memory.fill (i32.const 0) (i32.const 7) (i32.const 30000000))
      (br $again)))

  ;; Sleeps for no time, again and again: each is a park.
  (func (export "nap_for_ever")
    (loop $again
      (drop (call $sleep (i64.const 0)))
      (br $again)))

  (func (export "survive") (call $answer)))
