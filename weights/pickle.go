package weights

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
)

// The values of an unpickled tree are nil, bool, int64, *big.Int (what an
// int64 cannot hold), float64, string, []byte, Tuple, *List, *Dict, Named (a
// tensor, its Name empty) and *Opaque.
type (
	// Tuple is a Python tuple.
	Tuple []any
	// List is a Python list.
	List struct{ Items []any }
	// Opaque stands for an object of a class that is not built, such as a path
	// or the state of a random number generator.
	Opaque struct{ Class string }
	// Item is one entry of a Dict.
	Item struct{ Key, Value any }
	// Dict is a Python dict in its order.
	Dict struct {
		Items []Item
		index map[any]int // of the keys that Go can compare
	}
)

// Get returns the value of a string, int64, bool or float64 key.
func (d *Dict) Get(key any) (any, bool) {
	if hashable(key) {
		if i, ok := d.index[key]; ok {
			return d.Items[i].Value, true
		}
	}
	return nil, false
}

// hashable reports whether a map may have key as a key: a Tuple panics there.
func hashable(key any) bool {
	switch key.(type) {
	case nil, string, int64, bool, float64:
		return true
	}
	return false
}

func (d *Dict) set(key, value any) {
	if hashable(key) {
		if i, ok := d.index[key]; ok {
			d.Items[i].Value = value
			return
		}
		if d.index == nil {
			d.index = map[any]int{}
		}
		d.index[key] = len(d.Items)
	}
	d.Items = append(d.Items, Item{key, value})
}

// global is a name that a pickle refers to; it is never looked up anywhere.
type global struct{ module, name string }

func (g global) String() string { return g.module + "." + g.name }

// maxPickle bounds the objects that one pickle can make us build, each some
// ten times its bytes. The pickles of 70B checkpoints have less than 1 MB.
const maxPickle = 64 << 20

// unpickler reads protocols 0 to 5 as a list of instructions on a stack. It
// knows tensors and the containers above; whatever else a pickle builds or
// calls becomes an Opaque. So nothing runs.
type unpickler struct {
	path  string
	base  int64 // of data in the file
	data  []byte
	pos   int
	stack []any
	marks []int // heights of stack
	memo  map[int]any
	// storage resolves a persistent id of torch.save; nil where none may be.
	storage func(id any) (any, error)
}

// unpickle returns the value of the one pickle in data.
func (u *unpickler) unpickle() (any, error) {
	if len(u.data) > maxPickle {
		return nil, &FileError{u.path, u.base, fmt.Errorf("a pickle of %d bytes is more than the %d allowed", len(u.data), maxPickle)}
	}
	u.memo = map[int]any{}
	for {
		at := u.pos
		v, done, err := u.step()
		if err != nil {
			return nil, &FileError{u.path, u.base + int64(at), fmt.Errorf("pickle: %w", err)}
		}
		if done {
			return v, nil
		}
	}
}

var (
	errEnds  = errors.New("the data ends within an instruction")
	errStack = errors.New("an instruction lacks its operands")
)

func (u *unpickler) take(n uint64) ([]byte, error) {
	if n > uint64(len(u.data)-u.pos) {
		return nil, errEnds
	}
	b := u.data[u.pos : u.pos+int(n)]
	u.pos += int(n)
	return b, nil
}

// number reads an unsigned little-endian integer of size bytes.
func (u *unpickler) number(size uint64) (uint64, error) {
	b, err := u.take(size)
	if err != nil {
		return 0, err
	}
	var n [8]byte
	copy(n[:], b)
	return binary.LittleEndian.Uint64(n[:]), nil
}

// counted reads bytes after their count, itself of size bytes.
func (u *unpickler) counted(size uint64) ([]byte, error) {
	n, err := u.number(size)
	if err != nil {
		return nil, err
	}
	return u.take(n)
}

func (u *unpickler) line() (string, error) {
	i := bytes.IndexByte(u.data[u.pos:], '\n')
	if i < 0 {
		return "", errEnds
	}
	s := string(u.data[u.pos : u.pos+i])
	u.pos += i + 1
	return s, nil
}

func (u *unpickler) push(v any) { u.stack = append(u.stack, v) }

// floor is the height below which the values belong to an outer mark.
func (u *unpickler) floor() int {
	if len(u.marks) == 0 {
		return 0
	}
	return u.marks[len(u.marks)-1]
}

func (u *unpickler) pop() (any, error) {
	if len(u.stack) <= u.floor() {
		return nil, errStack
	}
	v := u.stack[len(u.stack)-1]
	u.stack = u.stack[:len(u.stack)-1]
	return v, nil
}

func (u *unpickler) top() (any, error) {
	if len(u.stack) <= u.floor() {
		return nil, errStack
	}
	return u.stack[len(u.stack)-1], nil
}

// popMark returns a copy of the values above the last mark and removes both.
func (u *unpickler) popMark() ([]any, error) {
	if len(u.marks) == 0 {
		return nil, errStack
	}
	at := u.floor()
	vs := append([]any{}, u.stack[at:]...)
	u.stack, u.marks = u.stack[:at], u.marks[:len(u.marks)-1]
	return vs, nil
}

func (u *unpickler) popTuple(n int) error {
	if len(u.stack)-u.floor() < n {
		return errStack
	}
	at := len(u.stack) - n
	t := append(Tuple{}, u.stack[at:]...)
	u.stack = append(u.stack[:at], t)
	return nil
}

// step carries out one instruction; done means STOP, with the result. Names are
// those of Python's pickletools, which says what each leaves on the stack.
func (u *unpickler) step() (v any, done bool, err error) {
	b, err := u.take(1)
	if err != nil {
		return nil, false, err
	}
	op := b[0]
	if op == '.' { // STOP
		v, err := u.pop()
		return v, true, err
	}
	for _, group := range []func(*unpickler, byte) (bool, error){
		(*unpickler).control, (*unpickler).scalar, (*unpickler).container, (*unpickler).remembered, (*unpickler).object,
	} {
		if known, err := group(u, op); known {
			return nil, false, err
		}
	}
	return nil, false, fmt.Errorf("instruction %#02x is not supported", op)
}

// control carries out what moves the stack alone; known is false for other
// instructions, as in the four groups below.
func (u *unpickler) control(op byte) (known bool, err error) {
	switch op {
	case 0x80: // PROTO
		n, err := u.number(1)
		if err == nil && n > 5 {
			err = fmt.Errorf("protocol %d is not known", n)
		}
		return true, err
	case 0x95: // FRAME; its length helps who reads from a stream
		_, err = u.take(8)
	case '(': // MARK
		u.marks = append(u.marks, len(u.stack))
	case '0': // POP, which takes a mark too
		if len(u.marks) > 0 && u.floor() == len(u.stack) {
			u.marks = u.marks[:len(u.marks)-1]
			return true, nil
		}
		_, err = u.pop()
	case '1': // POP_MARK
		_, err = u.popMark()
	case '2': // DUP
		v, err := u.top()
		if err == nil {
			u.push(v)
		}
		return true, err
	default:
		return false, nil
	}
	return true, err
}

// scalar pushes a number, a string or bytes.
func (u *unpickler) scalar(op byte) (known bool, err error) {
	switch op {
	case 'N': // NONE
		u.push(nil)
	case 0x88: // NEWTRUE
		u.push(true)
	case 0x89: // NEWFALSE
		u.push(false)
	case 'J': // BININT
		return true, u.pushInt(4, true)
	case 'K': // BININT1
		return true, u.pushInt(1, false)
	case 'M': // BININT2
		return true, u.pushInt(2, false)
	case 0x8a: // LONG1
		return true, u.pushLong(1)
	case 0x8b: // LONG4
		return true, u.pushLong(4)
	case 'G': // BINFLOAT, the one big-endian value of the format
		b, err := u.take(8)
		if err == nil {
			u.push(math.Float64frombits(binary.BigEndian.Uint64(b)))
		}
		return true, err
	case 'I', 'L', 'F', 'S', 'V': // INT, LONG, FLOAT, STRING, UNICODE of protocol 0
		return true, u.pushText(op)
	case 'X', 'T': // BINUNICODE; BINSTRING, of Python 2
		return true, u.pushString(4)
	case 0x8c, 'U': // SHORT_BINUNICODE; SHORT_BINSTRING, of Python 2
		return true, u.pushString(1)
	case 0x8d: // BINUNICODE8
		return true, u.pushString(8)
	case 'B': // BINBYTES
		return true, u.pushBytes(4)
	case 'C': // SHORT_BINBYTES
		return true, u.pushBytes(1)
	case 0x8e, 0x96: // BINBYTES8, BYTEARRAY8
		return true, u.pushBytes(8)
	default:
		return false, nil
	}
	return true, nil
}

// container makes and fills tuples, lists, sets (which are lists here) and dicts.
func (u *unpickler) container(op byte) (known bool, err error) {
	// What takes the values above the last mark.
	switch op {
	case 't', 'l', 0x91, 'e', 0x90, 'd', 'u':
		vs, err := u.popMark()
		if err != nil {
			return true, err
		}
		switch op {
		case 't': // TUPLE
			u.push(Tuple(vs))
		case 'l', 0x91: // LIST, FROZENSET
			u.push(&List{vs})
		case 'e', 0x90: // APPENDS, ADDITEMS
			return true, u.extend(vs)
		case 'd': // DICT
			u.push(&Dict{})
			return true, u.setItems(vs)
		case 'u': // SETITEMS
			return true, u.setItems(vs)
		}
		return true, nil
	}
	switch op {
	case ')': // EMPTY_TUPLE
		u.push(Tuple{})
	case 0x85, 0x86, 0x87: // TUPLE1, TUPLE2, TUPLE3
		return true, u.popTuple(int(op - 0x84))
	case ']', 0x8f: // EMPTY_LIST, EMPTY_SET
		u.push(&List{})
	case 'a': // APPEND
		v, err := u.pop()
		if err == nil {
			err = u.extend([]any{v})
		}
		return true, err
	case '}': // EMPTY_DICT
		u.push(&Dict{})
	case 's': // SETITEM
		if len(u.stack)-u.floor() < 3 {
			return true, errStack
		}
		at := len(u.stack) - 2
		vs := []any{u.stack[at], u.stack[at+1]}
		u.stack = u.stack[:at]
		return true, u.setItems(vs)
	default:
		return false, nil
	}
	return true, nil
}

// remembered puts the top of the stack into the memo, or pushes what is there.
func (u *unpickler) remembered(op byte) (known bool, err error) {
	switch op {
	case 'q': // BINPUT
		return true, u.put(1)
	case 'r': // LONG_BINPUT
		return true, u.put(4)
	case 0x94: // MEMOIZE
		v, err := u.top()
		if err == nil {
			u.memo[len(u.memo)] = v
		}
		return true, err
	case 'h': // BINGET
		return true, u.get(1)
	case 'j': // LONG_BINGET
		return true, u.get(4)
	case 'p', 'g': // PUT, GET
		s, err := u.line()
		if err != nil {
			return true, err
		}
		n, err := strconv.Atoi(s)
		if err != nil {
			return true, err
		}
		if op == 'g' {
			return true, u.recall(n)
		}
		v, err := u.top()
		if err == nil {
			u.memo[n] = v
		}
		return true, err
	}
	return false, nil
}

// object carries out what names a class or would call one. Here is where Python's
// own reader runs code of the file's choice; we answer with a tensor, a container
// or an Opaque.
func (u *unpickler) object(op byte) (known bool, err error) {
	switch op {
	case 'c': // GLOBAL
		g, err := u.globalName()
		u.push(g)
		return true, err
	case 0x93: // STACK_GLOBAL
		if err := u.popTuple(2); err != nil {
			return true, err
		}
		v, _ := u.pop()
		module, ok1 := v.(Tuple)[0].(string)
		name, ok2 := v.(Tuple)[1].(string)
		if !ok1 || !ok2 {
			return true, errors.New("the name of a global is no string")
		}
		u.push(global{module, name})
	case 'R', 0x81: // REDUCE, NEWOBJ
		if err := u.popTuple(2); err != nil {
			return true, err
		}
		v, _ := u.pop()
		args, _ := v.(Tuple)[1].(Tuple)
		built, err := u.build(v.(Tuple)[0], args)
		u.push(built)
		return true, err
	case 0x92: // NEWOBJ_EX
		if err := u.popTuple(3); err != nil {
			return true, err
		}
		v, _ := u.pop()
		u.push(opaque(v.(Tuple)[0]))
	case 'o': // OBJ
		vs, err := u.popMark()
		if err == nil && len(vs) == 0 {
			err = errStack
		}
		if err == nil {
			u.push(opaque(vs[0]))
		}
		return true, err
	case 'i': // INST
		g, err := u.globalName()
		if err != nil {
			return true, err
		}
		_, err = u.popMark()
		u.push(opaque(g))
		return true, err
	case 'b': // BUILD gives an object its attributes, none of which is wanted
		if _, err = u.pop(); err == nil {
			_, err = u.top()
		}
		return true, err
	case 'Q': // BINPERSID
		id, err := u.pop()
		if err != nil {
			return true, err
		}
		if u.storage == nil {
			return true, errors.New("a persistent id in a pickle that is no PyTorch checkpoint")
		}
		v, err := u.storage(id)
		u.push(v)
		return true, err
	default:
		return false, nil
	}
	return true, nil
}

// globalName reads the two lines of a class's name.
func (u *unpickler) globalName() (global, error) {
	module, err := u.line()
	if err != nil {
		return global{}, err
	}
	name, err := u.line()
	return global{module, name}, err
}

// pushLong reads an integer of any length, whose count of bytes is of size bytes.
func (u *unpickler) pushLong(size uint64) error {
	b, err := u.counted(size)
	if err == nil {
		u.push(longInt(b))
	}
	return err
}

func (u *unpickler) pushInt(size uint64, signed bool) error {
	n, err := u.number(size)
	v := int64(n)
	if signed {
		v = int64(int32(n))
	}
	u.push(v)
	return err
}

func (u *unpickler) pushString(size uint64) error {
	b, err := u.counted(size)
	u.push(string(b))
	return err
}

func (u *unpickler) pushBytes(size uint64) error {
	b, err := u.counted(size)
	u.push(bytes.Clone(b))
	return err
}

// pushText reads a number or string of protocol 0. Strings keep their escapes:
// nothing that we look for has one.
func (u *unpickler) pushText(op byte) error {
	s, err := u.line()
	if err != nil {
		return err
	}
	switch op {
	case 'I':
		switch s {
		case "00", "01": // booleans of protocol 0
			u.push(s == "01")
			return nil
		}
		n, err := strconv.ParseInt(s, 10, 64)
		u.push(n)
		return err
	case 'L':
		if len(s) > 0 && s[len(s)-1] == 'L' {
			s = s[:len(s)-1]
		}
		if len(s) > 1000 { // converting takes time that grows with the square
			return fmt.Errorf("an integer of %d digits", len(s))
		}
		n, ok := new(big.Int).SetString(s, 10)
		if !ok {
			return fmt.Errorf("%.20q is no integer", s)
		}
		u.push(narrow(n))
	case 'F':
		x, err := strconv.ParseFloat(s, 64)
		u.push(x)
		return err
	case 'S':
		if len(s) >= 2 {
			s = s[1 : len(s)-1]
		}
		u.push(s)
	default:
		u.push(s)
	}
	return nil
}

// longInt reads a two's complement little-endian integer of any length.
func longInt(b []byte) any {
	be := make([]byte, len(b))
	for i, x := range b {
		be[len(b)-1-i] = x
	}
	n := new(big.Int).SetBytes(be)
	if len(b) > 0 && be[0] >= 0x80 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	return narrow(n)
}

func narrow(n *big.Int) any {
	if n.IsInt64() {
		return n.Int64()
	}
	return n
}

func (u *unpickler) put(size uint64) error {
	n, err := u.number(size)
	if err != nil {
		return err
	}
	v, err := u.top()
	if err != nil {
		return err
	}
	u.memo[int(n)] = v
	return nil
}

func (u *unpickler) get(size uint64) error {
	n, err := u.number(size)
	if err != nil {
		return err
	}
	return u.recall(int(n))
}

func (u *unpickler) recall(n int) error {
	v, ok := u.memo[n]
	if !ok {
		return fmt.Errorf("nothing was remembered as %d", n)
	}
	u.push(v)
	return nil
}

// extend appends to the list on top of the stack.
func (u *unpickler) extend(vs []any) error {
	v, err := u.top()
	if err != nil {
		return err
	}
	switch l := v.(type) {
	case *List:
		l.Items = append(l.Items, vs...)
	case *Opaque:
	default:
		return fmt.Errorf("cannot append to %T", v)
	}
	return nil
}

// setItems adds pairs of keys and values to the dict on top of the stack.
func (u *unpickler) setItems(vs []any) error {
	v, err := u.top()
	if err != nil {
		return err
	}
	if len(vs)%2 != 0 {
		return errors.New("a key without a value")
	}
	switch d := v.(type) {
	case *Dict:
		for i := 0; i < len(vs); i += 2 {
			d.set(vs[i], vs[i+1])
		}
	case *Opaque:
	default:
		return fmt.Errorf("cannot set an item of %T", v)
	}
	return nil
}

func opaque(class any) any {
	if g, ok := class.(global); ok {
		return &Opaque{g.String()}
	}
	return &Opaque{"unknown"}
}

// build answers the call of a class or function: one of the few known here, or
// else an Opaque.
func (u *unpickler) build(class any, args Tuple) (any, error) {
	g, ok := class.(global)
	if !ok {
		return opaque(class), nil
	}
	switch g.String() {
	case "collections.OrderedDict", "collections.defaultdict":
		return &Dict{}, nil
	case "torch.Size":
		if len(args) == 1 {
			return args[0], nil
		}
	case "torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor_v3":
		return rebuildTensor(g.name, args)
	case "torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state", "torch.nn.parameter.Parameter":
		if len(args) > 0 {
			if _, ok := args[0].(Named); ok {
				return args[0], nil
			}
		}
	}
	return opaque(class), nil
}
