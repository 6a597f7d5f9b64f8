;; run() answers err. One core instance of its own, and one in each of the two instances of a nested
;; component: three memories and one table in three core instances.
(component
  (core module $code (memory 3) (table 1 funcref) (func (export "run") (result i32) i32.const 1))
  (component $inner
    (core module $small (memory 1))
    (core instance (instantiate $small)))
  (core instance $core (instantiate $code))
  (instance (instantiate $inner))
  (instance (instantiate $inner))
  (func $run (result (result)) (canon lift (core func $core "run")))
  (instance $interface (export "run" (func $run)))
  (export "wasi:cli/run@0.2.3" (instance $interface)))
