;; Exports that are entries and such that are none; `crash` traps, with a name to see.
(component
  (core module $code
    (func $crashing (export "crash") unreachable)
    (func (export "show"))
    (func (export "count") (result i32) i32.const 1))
  (core instance $core (instantiate $code))
  (func (export "crash") (canon lift (core func $core "crash")))
  (func (export "show") (canon lift (core func $core "show")))
  (func (export "count") (result u32) (canon lift (core func $core "count"))))
