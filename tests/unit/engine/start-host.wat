;; A start function that calls the host: with a memory window, and one that parks.
(module
  (import "host" "write" (func $write (param i32 i32) (result i32)))
  (import "host" "wait" (func $wait (param i32) (result i32)))
  (import "host" "note" (func $note (param i64)))
  (memory (export "memory") 1)
  (func $begin
    (drop (call $write (i32.const 8) (i32.const 9)))
    (drop (call $wait (i32.const 1)))
    (call $note (i64.load8_u (i32.const 8))))
  (func (export "return") (call $note (i64.const 2)))
  (start $begin))
