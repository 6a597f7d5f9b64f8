;; Wants something that nobody offers.
(module (import "moat" "dig" (func)) (func (export "nothing")))
