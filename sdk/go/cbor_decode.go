package mote

import (
	"fmt"
	"math"
	"reflect"
	"unicode/utf8"
)

// Unmarshal reads one CBOR item of any sender into what `to` points to. No bytes leave it as it is; what is not known of a
// map is skipped; a number that does not fit, a text that is no UTF-8 and bytes behind the item are ErrMalformed.
func Unmarshal(data []byte, to any) error {
	if len(data) == 0 {
		return nil
	}
	target := reflect.ValueOf(to)
	if target.Kind() != reflect.Pointer || target.IsNil() {
		return fmt.Errorf("mote: Unmarshal needs a pointer: %w", ErrInvalid)
	}
	reader := cborReader{data: data}
	if err := reader.read(target.Elem(), 0); err != nil {
		return err
	}
	if len(reader.data) > 0 {
		return malformed("bytes behind the value")
	}
	return nil
}

func malformed(why string) error {
	return fmt.Errorf("mote: CBOR: %s: %w", why, ErrMalformed)
}

type cborReader struct {
	data []byte
}

// head reads the first byte of an item and its number, whose meaning is the kind's.
func (r *cborReader) head() (first byte, number uint64, err error) {
	if len(r.data) == 0 {
		return 0, 0, malformed("cut short")
	}
	first = r.data[0]
	low, rest := first&0x1f, r.data[1:]
	size := 0
	switch {
	case low < 24:
		number = uint64(low)
	case low <= 27:
		size = 1 << (low - 24)
	default:
		return 0, 0, malformed("a length that is not told first")
	}
	if len(rest) < size {
		return 0, 0, malformed("cut short")
	}
	for _, one := range rest[:size] {
		number = number<<8 | uint64(one)
	}
	r.data = rest[size:]
	return first, number, nil
}

func (r *cborReader) bytes(size uint64) ([]byte, error) {
	if size > uint64(len(r.data)) {
		return nil, malformed("cut short")
	}
	bytes := r.data[:size]
	r.data = r.data[size:]
	return bytes, nil
}

func float16(bits uint64) float64 {
	exponent, fraction := int(bits>>10&0x1f), float64(bits&0x3ff)
	value := 0.0
	switch exponent {
	case 0:
		value = math.Ldexp(fraction, -24)
	case 31:
		value = math.Inf(1)
		if fraction != 0 {
			value = math.NaN()
		}
	default:
		value = math.Ldexp(fraction+1024, exponent-25)
	}
	if bits&0x8000 != 0 {
		return -value
	}
	return value
}

// read reads an item into a settable value.
func (r *cborReader) read(to reflect.Value, depth int) error {
	if depth > cborDepthMax {
		return malformed("too deep")
	}
	if len(r.data) > 0 && (r.data[0] == cborNull || r.data[0] == cborNull+1) {
		r.data = r.data[1:]
		to.SetZero()
		return nil
	}
	if to.Kind() == reflect.Pointer {
		if to.IsNil() {
			to.Set(reflect.New(to.Type().Elem()))
		}
		return r.read(to.Elem(), depth+1)
	}
	first, number, err := r.head()
	if err != nil {
		return err
	}
	if first&0xe0 == cborTag {
		return r.read(to, depth+1)
	}
	if to.Kind() == reflect.Interface {
		if to.NumMethod() > 0 {
			return fmt.Errorf("mote: CBOR into %s: %w", to.Type(), ErrInvalid)
		}
		value, err := r.any(first, number, depth)
		if err == nil {
			to.Set(value)
		}
		return err
	}
	switch first & 0xe0 {
	case cborUnsigned:
		return setNumber(to, number, false)
	case cborNegative:
		return setNumber(to, number, true)
	case cborBytes, cborText:
		return r.readText(to, first&0xe0 == cborText, number)
	case cborArray:
		return r.readList(to, number, depth)
	case cborMap:
		return r.readMap(to, number, depth)
	default:
		return setSimple(to, first, number)
	}
}

// any reads an item into what it is best in Go: int64, uint64 where need be, float64, string, []byte, []any,
// map[string]any, bool.
func (r *cborReader) any(first byte, number uint64, depth int) (reflect.Value, error) {
	var kind reflect.Type
	switch first & 0xe0 {
	case cborUnsigned:
		kind = reflect.TypeFor[int64]()
		if number > math.MaxInt64 {
			kind = reflect.TypeFor[uint64]()
		}
		value := reflect.New(kind).Elem()
		return value, setNumber(value, number, false)
	case cborNegative:
		value := reflect.New(reflect.TypeFor[int64]()).Elem()
		return value, setNumber(value, number, true)
	case cborBytes:
		value := reflect.New(reflect.TypeFor[[]byte]()).Elem()
		return value, r.readText(value, false, number)
	case cborText:
		value := reflect.New(reflect.TypeFor[string]()).Elem()
		return value, r.readText(value, true, number)
	case cborArray:
		value := reflect.New(reflect.TypeFor[[]any]()).Elem()
		return value, r.readList(value, number, depth)
	case cborMap:
		value := reflect.New(reflect.TypeFor[map[string]any]()).Elem()
		return value, r.readMap(value, number, depth)
	}
	kind = reflect.TypeFor[float64]()
	if first == cborFalse || first == cborTrue {
		kind = reflect.TypeFor[bool]()
	}
	value := reflect.New(kind).Elem()
	return value, setSimple(value, first, number)
}

func setNumber(to reflect.Value, number uint64, negative bool) error {
	switch {
	case to.CanInt():
		value := int64(number)
		if negative {
			value = ^value
		}
		if number > math.MaxInt64 || to.OverflowInt(value) {
			return malformed("a number that does not fit")
		}
		to.SetInt(value)
	case to.CanUint():
		if negative || to.OverflowUint(number) {
			return malformed("a number that does not fit")
		}
		to.SetUint(number)
	case to.CanFloat():
		value := float64(number)
		if negative {
			value = -1 - value
		}
		to.SetFloat(value)
	default:
		return malformed("a number for a " + to.Kind().String())
	}
	return nil
}

func setSimple(to reflect.Value, first byte, number uint64) error {
	switch first {
	case cborFalse, cborTrue:
		if to.Kind() != reflect.Bool {
			return malformed("a truth value for a " + to.Kind().String())
		}
		to.SetBool(first == cborTrue)
		return nil
	case cborFloat16, cborFloat32, cborFloat64:
		if !to.CanFloat() {
			return malformed("a fraction for a " + to.Kind().String())
		}
		value := math.Float64frombits(number)
		if first == cborFloat16 {
			value = float16(number)
		} else if first == cborFloat32 {
			value = float64(math.Float32frombits(uint32(number)))
		}
		to.SetFloat(value)
		return nil
	}
	return malformed("a simple value that is not known")
}

func (r *cborReader) readText(to reflect.Value, isText bool, size uint64) error {
	bytes, err := r.bytes(size)
	if err != nil {
		return err
	}
	switch {
	case isText && !utf8.Valid(bytes):
		return malformed("a text that is no UTF-8")
	case isText && to.Kind() == reflect.String:
		to.SetString(string(bytes))
	case !isText && to.Kind() == reflect.Slice && to.Type().Elem().Kind() == reflect.Uint8:
		to.SetBytes(append([]byte{}, bytes...))
	default:
		return malformed("a text or bytes for a " + to.Kind().String())
	}
	return nil
}

func (r *cborReader) readList(to reflect.Value, count uint64, depth int) error {
	if count > uint64(len(r.data)) { // every item has a byte at least
		return malformed("cut short")
	}
	switch to.Kind() {
	case reflect.Slice:
		list := reflect.MakeSlice(to.Type(), 0, 0)
		for range count {
			element := reflect.New(to.Type().Elem()).Elem()
			if err := r.read(element, depth+1); err != nil {
				return err
			}
			list = reflect.Append(list, element)
		}
		to.Set(list)
	case reflect.Array:
		if count != uint64(to.Len()) {
			return malformed("a list of another length")
		}
		for i := range to.Len() {
			if err := r.read(to.Index(i), depth+1); err != nil {
				return err
			}
		}
	default:
		return malformed("a list for a " + to.Kind().String())
	}
	return nil
}

func (r *cborReader) readMap(to reflect.Value, count uint64, depth int) error {
	if count > uint64(len(r.data))/2 {
		return malformed("cut short")
	}
	switch to.Kind() {
	case reflect.Map:
		table := reflect.MakeMap(to.Type())
		for range count {
			key, value := reflect.New(to.Type().Key()).Elem(), reflect.New(to.Type().Elem()).Elem()
			if err := r.read(key, depth+1); err != nil {
				return err
			}
			if err := r.read(value, depth+1); err != nil {
				return err
			}
			table.SetMapIndex(key, value)
		}
		to.Set(table)
	case reflect.Struct:
		for range count {
			if err := r.readField(to, depth); err != nil {
				return err
			}
		}
	default:
		return malformed("a map for a " + to.Kind().String())
	}
	return nil
}

func (r *cborReader) readField(to reflect.Value, depth int) error {
	name := ""
	if err := r.read(reflect.ValueOf(&name).Elem(), depth+1); err != nil {
		return err
	}
	for i := range to.NumField() {
		if found, _ := cborField(to.Type().Field(i)); found != "" && found == name {
			return r.read(to.Field(i), depth+1)
		}
	}
	return r.skip(depth + 1)
}

// skip reads an item that nobody wants.
func (r *cborReader) skip(depth int) error {
	if depth > cborDepthMax {
		return malformed("too deep")
	}
	first, number, err := r.head()
	if err != nil {
		return err
	}
	items, isInside := uint64(0), first&0xe0 == cborArray || first&0xe0 == cborMap
	if isInside && number > uint64(len(r.data)) {
		return malformed("cut short")
	}
	switch first & 0xe0 {
	case cborBytes, cborText:
		_, err = r.bytes(number)
	case cborArray:
		items = number
	case cborMap:
		items = 2 * number
	case cborTag:
		items = 1
	}
	for ; items > 0 && err == nil; items-- {
		err = r.skip(depth + 1)
	}
	return err
}
