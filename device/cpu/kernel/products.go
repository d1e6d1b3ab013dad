package kernel

import (
	"olmo/internal/parallel"
	"olmo/numeric"
)

// Product is one of several products of the same left operand.
type Product struct {
	C, W     Matrix  // C is M×N; W, a linear layer's weight, N×K
	Packed   *Packed // W packed before, or nil
	Residual *Matrix // what is added to C, or nil
}

// MatMulEach computes C = a·Wᵀ (+ residual) of each product; a is M×K.
func MatMulEach(a Matrix, products []Product, precision numeric.Precision) {
	if precision == numeric.Int8 {
		products = multiplyInt8(a, products)
	}
	if rowwise(a.Rows, products, precision) {
		multiplyRows(a, products)
		return
	}
	for i := range products {
		switch p := &products[i]; {
		case p.Packed != nil:
			MatMulPacked(p.C, a, p.Packed, p.Residual)
		case p.W.Stored != nil:
			p.W.Stored.multiply(p.C, a, p.Residual, precision)
		default:
			matMul(p.C, a, p.W, true, numeric.Cuts(p.W.Cols), p.Residual, precision)
		}
	}
}

// fewRows are multiplied one by one by numbers that have to be widened: to write a panel of them as float32 takes
// longer than a row.
const fewRows = 2

// rowwise reports whether rows are multiplied by the numbers as they are stored, each of them widened in a
// register.
func rowwise(rows int, products []Product, precision numeric.Precision) bool {
	if rows > fewRows || precision.Rounds() {
		return false
	}
	for i := range products {
		s := products[i].W.Stored
		if products[i].Packed != nil || s == nil || rows > 1 && s.panels[0].form == plainForm {
			return false
		}
	}
	return true
}

// multiplyRows computes the products of few rows, in float32. All their panels are shared out at once.
func multiplyRows(a Matrix, products []Product) {
	panels := 0
	for i := range products {
		panels += len(products[i].W.Stored.panels)
	}
	// Panels lie one behind the other, so that a task reads its own from end to end; it is small enough that
	// nobody waits long for the last one.
	tasks := min(panels, 8*parallel.Threads())
	cuts := numeric.Cuts(a.Cols)
	parallel.For(tasks, func(task int) {
		w := borrow()
		defer w.giveBack()
		begin, end := panels*task/tasks, panels*(task+1)/tasks
		for i := range products {
			p := &products[i]
			n := len(p.W.Stored.panels)
			for j := max(begin, 0); j < min(end, n); j++ {
				for r := range a.Rows {
					p.multiplyPanel(w, j, r, a.Row(r), cuts)
				}
			}
			begin, end = begin-n, end-n
		}
	})
}

// multiplyPanel computes the results of row r, of which x are the operands, that belong to panel j.
func (p *Product) multiplyPanel(w *scratch, j, r int, x []float32, cuts []int) {
	nr, y := isa.nr, p.C.Row(r)
	sum, total := w.buf(0, nr), w.buf(1, nr)
	clear(total)
	k0 := 0
	for _, k1 := range cuts {
		clear(sum)
		p.W.Stored.panels[j].chain(w, sum, x[k0:k1], k0)
		isa.add(total, total, sum)
		k0 = k1
	}
	out := y[j*nr : min(len(y), (j+1)*nr)]
	copy(out, total)
	if p.Residual != nil {
		isa.add(out, out, p.Residual.Row(r)[j*nr:][:len(out)])
	}
}
