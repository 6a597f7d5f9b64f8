;; `_start` stands alone, also beside `_initialize`.
(module
  (import "host" "note" (func $note (param i64)))
  (func (export "_initialize") (call $note (i64.const 1)))
  (func (export "_start") (call $note (i64.const 2))))
