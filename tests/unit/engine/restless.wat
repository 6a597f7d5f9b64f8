;; Whose instances are never used again: it changes its table.
(module $restless
  (memory (export "memory") 1)
  (table $table 2 funcref)
  (func $nothing (export "return"))
  (func (export "change") (table.set $table (i32.const 0) (ref.func $nothing)))
  (elem declare func $nothing))
