package mote

import (
	"encoding/binary"
	"fmt"
	"math"
	"reflect"
	"sort"
	"strings"
)

// The kinds of items of CBOR (RFC 8949) that calls between processes use: docs/calls.md.
const (
	cborUnsigned = 0 << 5
	cborNegative = 1 << 5
	cborBytes    = 2 << 5
	cborText     = 3 << 5
	cborArray    = 4 << 5
	cborMap      = 5 << 5
	cborTag      = 6 << 5
	cborSimple   = 7 << 5
)

const (
	cborFalse   = cborSimple | 20
	cborTrue    = cborSimple | 21
	cborNull    = cborSimple | 22
	cborFloat16 = cborSimple | 25
	cborFloat32 = cborSimple | 26
	cborFloat64 = cborSimple | 27
)

// Values that contain others deeper than this are refused, on the way out as on the way in.
const cborDepthMax = 64

// Marshal is a value as CBOR. Structs are maps by the names of their exported fields, or by a tag as `cbor:"name"` or
// `cbor:"name,omitempty"` (or `json`); "-" leaves a field out. What carries nothing (struct{}) is no bytes.
func Marshal(value any) ([]byte, error) {
	reflected := reflect.ValueOf(value)
	if reflected.Kind() == reflect.Struct && reflected.NumField() == 0 {
		return nil, nil
	}
	return cborAppend(nil, reflected, 0)
}

func cborHead(to []byte, kind byte, number uint64) []byte {
	switch {
	case number < 24:
		return append(to, kind|byte(number))
	case number <= math.MaxUint8:
		return append(to, kind|24, byte(number))
	case number <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(to, kind|25), uint16(number))
	case number <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(to, kind|26), uint32(number))
	default:
		return binary.BigEndian.AppendUint64(append(to, kind|27), number)
	}
}

func cborAppend(to []byte, value reflect.Value, depth int) ([]byte, error) {
	if depth > cborDepthMax {
		return nil, fmt.Errorf("mote: a value deeper than %d: %w", cborDepthMax, ErrLimit)
	}
	switch value.Kind() {
	case reflect.Invalid:
		return append(to, cborNull), nil
	case reflect.Bool:
		if value.Bool() {
			return append(to, cborTrue), nil
		}
		return append(to, cborFalse), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		if number := value.Int(); number < 0 {
			return cborHead(to, cborNegative, uint64(^number)), nil
		}
		return cborHead(to, cborUnsigned, uint64(value.Int())), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return cborHead(to, cborUnsigned, value.Uint()), nil
	case reflect.Float32, reflect.Float64:
		return binary.BigEndian.AppendUint64(append(to, cborFloat64), math.Float64bits(value.Float())), nil
	case reflect.String:
		return append(cborHead(to, cborText, uint64(value.Len())), value.String()...), nil
	case reflect.Pointer, reflect.Interface:
		if value.IsNil() {
			return append(to, cborNull), nil
		}
		return cborAppend(to, value.Elem(), depth+1)
	case reflect.Slice, reflect.Array:
		return cborAppendList(to, value, depth)
	case reflect.Map:
		return cborAppendMap(to, value, depth)
	case reflect.Struct:
		return cborAppendStruct(to, value, depth)
	default:
		return nil, fmt.Errorf("mote: no CBOR for %s: %w", value.Type(), ErrInvalid)
	}
}

func cborAppendList(to []byte, value reflect.Value, depth int) ([]byte, error) {
	isSlice := value.Kind() == reflect.Slice
	if isSlice && value.Type().Elem().Kind() == reflect.Uint8 {
		return append(cborHead(to, cborBytes, uint64(value.Len())), value.Bytes()...), nil
	}
	to = cborHead(to, cborArray, uint64(value.Len()))
	var err error
	for i := 0; i < value.Len() && err == nil; i++ {
		to, err = cborAppend(to, value.Index(i), depth+1)
	}
	return to, err
}

// Keys are sorted as they are encoded, so that one value is always the same bytes.
func cborAppendMap(to []byte, value reflect.Value, depth int) ([]byte, error) {
	type entry struct {
		key   []byte
		value reflect.Value
	}
	entries := make([]entry, 0, value.Len())
	for _, key := range value.MapKeys() {
		encoded, err := cborAppend(nil, key, depth+1)
		if err != nil {
			return nil, err
		}
		entries = append(entries, entry{encoded, value.MapIndex(key)})
	}
	sort.Slice(entries, func(i, j int) bool { return string(entries[i].key) < string(entries[j].key) })
	to = cborHead(to, cborMap, uint64(len(entries)))
	var err error
	for i := 0; i < len(entries) && err == nil; i++ {
		to, err = cborAppend(append(to, entries[i].key...), entries[i].value, depth+1)
	}
	return to, err
}

// cborField is the name of a field, and whether it is left out when empty; no name: it is not for others.
func cborField(field reflect.StructField) (name string, omitEmpty bool) {
	if !field.IsExported() {
		return "", false
	}
	tag, found := field.Tag.Lookup("cbor")
	if !found {
		tag = field.Tag.Get("json")
	}
	if tag == "-" {
		return "", false
	}
	name, options, _ := strings.Cut(tag, ",")
	if name == "" {
		name = field.Name
	}
	return name, strings.Contains(options, "omitempty")
}

func cborAppendStruct(to []byte, value reflect.Value, depth int) ([]byte, error) {
	var body []byte
	count := uint64(0)
	for i := 0; i < value.NumField(); i++ {
		name, omitEmpty := cborField(value.Type().Field(i))
		if name == "" || (omitEmpty && value.Field(i).IsZero()) {
			continue
		}
		var err error
		body = append(cborHead(body, cborText, uint64(len(name))), name...)
		if body, err = cborAppend(body, value.Field(i), depth+1); err != nil {
			return nil, err
		}
		count++
	}
	return append(cborHead(to, cborMap, count), body...), nil
}
