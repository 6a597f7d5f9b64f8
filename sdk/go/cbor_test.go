package mote

import (
	"encoding/hex"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
)

type inner struct {
	Words []string `cbor:"words"`
}

type outer struct {
	A       int     `cbor:"a"`
	Skipped string  `cbor:"-"`
	Maybe   *inner  `cbor:"maybe,omitempty"`
	Share   float64 `json:"share"`
	private int
}

// Of RFC 8949, appendix A, and of structs.
var bothWays = []struct {
	value any
	hex   string
}{
	{int64(0), "00"}, {int64(23), "17"}, {int64(24), "1818"}, {int64(100), "1864"}, {int64(1000), "1903e8"},
	{int64(1000000), "1a000f4240"}, {int64(1000000000000), "1b000000e8d4a51000"},
	{uint64(math.MaxUint64), "1bffffffffffffffff"}, {int64(-1), "20"}, {int64(-10), "29"}, {int64(-1000), "3903e7"},
	{int64(math.MinInt64), "3b7fffffffffffffff"}, {1.1, "fb3ff199999999999a"}, {-4.1, "fbc010666666666666"},
	{false, "f4"}, {true, "f5"}, {"", "60"}, {"IETF", "6449455446"}, {"\u00fc", "62c3bc"}, {"\u6c34", "63e6b0b4"},
	{[]byte{1, 2, 3, 4}, "4401020304"}, {[]int64{}, "80"}, {[]int64{1, 2, 3}, "83010203"}, {[2]bool{true, false}, "82f5f4"},
	{map[string]string{"a": "A", "b": "B"}, "a2616161416162 6142"}, {map[int64]int64{1: 2, 3: 4}, "a201020304"},
	{[]any{int64(1), []any{int64(2), int64(3)}}, "8201820203"}, {map[string]any{"a": []any{true}}, "a1616181f5"},
	{outer{A: 5, Share: 1.5}, "a2 6161 05 65 7368617265 fb3ff8000000000000"},
	{outer{Maybe: &inner{[]string{"x"}}}, "a3 6161 00 65 6d61796265 a1 65 776f726473 81 6178 65 7368617265 fb0000000000000000"},
}

func bytesOf(text string) []byte {
	data, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		panic(err)
	}
	return data
}

func TestValuesAreWrittenAndReadAsTheStandardHasThem(t *testing.T) {
	for _, row := range bothWays {
		data, err := Marshal(row.value)
		if want := bytesOf(row.hex); err != nil || string(data) != string(want) {
			t.Errorf("%v: %x %v instead of %x", row.value, data, err, want)
		}
		read := reflect.New(reflect.TypeOf(row.value))
		if err := Unmarshal(bytesOf(row.hex), read.Interface()); err != nil || !reflect.DeepEqual(read.Elem().Interface(), row.value) {
			t.Errorf("%s: %v %v instead of %v", row.hex, read.Elem(), err, row.value)
		}
	}
}

func TestOtherFormsAreRead(t *testing.T) {
	number, share := int8(0), 0.0
	for text, want := range map[string]float64{"f93c00": 1, "f97bff": 65504, "f90001": 5.960464477539063e-8, "fa47c35000": 100000, "05": 5} {
		if err := Unmarshal(bytesOf(text), &share); err != nil || share != want {
			t.Errorf("%s: %v %v", text, share, err)
		}
	}
	if err := Unmarshal(bytesOf("1b0000000000000007"), &number); err != nil || number != 7 {
		t.Error("a number in a longer form:", number, err)
	}
	if err := Unmarshal(bytesOf("c1 07"), &number); err != nil || number != 7 {
		t.Error("a tag:", number, err)
	}
	one := outer{A: 1}
	if err := Unmarshal(bytesOf("a2 6178 8301a16179f66101 6161 07"), &one); err != nil || one.A != 7 {
		t.Error("a name that is not known:", one, err)
	}
	if err := Unmarshal(nil, &one); err != nil || one.A != 7 {
		t.Error("nothing:", one, err)
	}
	if data, err := Marshal(struct{}{}); err != nil || len(data) != 0 {
		t.Error("what carries nothing:", data, err)
	}
}

func TestWhatIsBrokenIsMalformed(t *testing.T) {
	small, texts, one := int8(0), []string{}, outer{}
	for _, row := range []struct {
		hex string
		to  any
	}{
		{"18", &small}, {"1880", &small}, {"3880", &small}, {"20 00", &small}, {"6161", &small}, {"f5", &small}, {"1c", &small},
		{"62c328", new(string)}, {"6361", new(string)}, {"9bffffffffffffffff", &texts}, {"9f6161ff", &texts}, {"81", &texts},
		{"bb8000000000000000", &one}, {"bbffffffffffffffff", &one}, {"a1 6178 bb8000000000000000", &one},
		{"a1 6178 9b8000000000000000", &one}, {"a1 01 02", &one}, {"a2 6161 01", &one}, {"f8ff", new(any)}, {"ff", new(any)},
		{strings.Repeat("81", 100) + "00", new(any)}, {strings.Repeat("c1", 100) + "00", new(any)},
		{"a1 6178" + strings.Repeat("81", 100) + "00", &one},
	} {
		if err := Unmarshal(bytesOf(row.hex), row.to); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", row.hex, err)
		}
	}
}

func TestValuesThatAreNoneAreRefused(t *testing.T) {
	type loop struct{ Next *loop }
	endless := &loop{}
	endless.Next = endless
	if _, err := Marshal(endless); !errors.Is(err, ErrLimit) {
		t.Error(err)
	}
	if _, err := Marshal(func() {}); !errors.Is(err, ErrInvalid) {
		t.Error(err)
	}
	if err := Unmarshal([]byte{0}, 5); !errors.Is(err, ErrInvalid) {
		t.Error(err)
	}
}

func FuzzUnmarshal(f *testing.F) {
	for _, row := range bothWays {
		f.Add(bytesOf(row.hex))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var anything any
		if Unmarshal(data, &anything) == nil {
			if again, err := Marshal(anything); err == nil && len(data) > 0 {
				var same any
				if err := Unmarshal(again, &same); err != nil {
					t.Errorf("%x: what was read and written cannot be read: %v", data, err)
				}
			}
		}
		_ = Unmarshal(data, &outer{})
	})
}
