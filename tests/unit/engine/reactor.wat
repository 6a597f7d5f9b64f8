;; Who is called, in which order.
(module
  (import "host" "note" (func $note (param i64)))
  (func (export "_initialize") (call $note (i64.const 1)))
  (func (export "show") (call $note (i64.const 2))))
