package multipart

import "testing"

func TestABoundaryStandsInNoPart(t *testing.T) {
	var w Writer
	w.Field("a", "\r\n--caio-2a--\r\n")
	w.File("b", "caio-2b", "", []byte("caio-2c"))
	if got := w.free(0x2a); got != "caio-2d" {
		t.Errorf("%s is in the form", got)
	}
}
