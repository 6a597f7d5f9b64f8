;; The least that answers.
(module
  (import "mote" "respond" (func $respond (param i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 16) "content-type: text/plain; charset=utf-8\nhello\n")
  (func (export "hello")
    (drop (call $respond (i32.const 200) (i32.const 16) (i32.const 40) (i32.const 56) (i32.const 6)))))
