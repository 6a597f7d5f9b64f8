;; A guest of a crowd: answers what comes under label 1 to its sender, and returns at anything else. A mail lies at 128: sender at
;; 136, label at 144, size at 132; its body at 288.
(module
  (import "mote" "receive" (func $receive (param i32 i32 i32 i32 i64) (result i32)))
  (import "mote" "send" (func $send (param i64 i64 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "member")
    (loop $again
      (if (call $receive (i32.const 0) (i32.const 128) (i32.const 288) (i32.const 64) (i64.const -1))
        (then unreachable))
      (if (i64.eq (i64.load (i32.const 144)) (i64.const 1))
        (then
          (if (call $send (i64.load (i32.const 136)) (i64.const 1) (i32.const 288) (i32.load (i32.const 132))
                (i32.const 0))
            (then unreachable))
          (br $again))))))
