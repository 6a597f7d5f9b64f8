;; A start function that never ends.
(module
  (import "host" "tick" (func $tick))
  (memory (export "memory") 1)
  (func $forever (call $tick) (loop $again (br $again)))
  (func (export "return"))
  (start $forever))
