package contract

import (
	"fmt"
	"strings"
	"testing"
)

func TestPlacesInLongLines(t *testing.T) {
	s := testSchema(t)
	const head = "service_id: a\nname: A\nversion: 1.0.0\ncapabilities: [c]\n"
	for _, n := range []int{0, 1, 84, 85, 86, 254, 256, 257, 1000} {
		// Columns are counted in bytes; the second list has characters of two.
		source := head + "field: {capability: {re: [" + strings.Repeat("1, ", n) + "x]}}\n" +
			"metadata: {tags: [" + strings.Repeat("é, ", n) + "1]}\n"
		_, err := s.Parse("a.yaml", []byte(source))
		for _, want := range []string{
			fmt.Sprintf("a.yaml:5:%d: field.capability.re[%d]: ", 27+3*n, n),
			fmt.Sprintf("a.yaml:6:%d: metadata.tags[%d]: ", 19+4*n, n),
		} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%d before: %v, want %q", n, err, want)
			}
		}
	}
}

func TestTheLargestVectorsAreTaken(t *testing.T) {
	numbers := strings.TrimSuffix(strings.Repeat("0.5, ", maxDimension), ", ")
	source := "service_id: a\nname: A\nversion: 1.0.0\ncapabilities: [c]\nfield:\n  capability: {re: [" + numbers + "], im: [" + numbers + "]}\n"
	c, err := testSchema(t).Parse("a.yaml", []byte(source))
	if err != nil {
		t.Fatal(err)
	}
	if v := c.Message().GetField().GetCapability(); len(v.GetRe()) != maxDimension || len(v.GetIm()) != maxDimension || v.Im[maxDimension-1] != .5 {
		t.Errorf("%d and %d parts", len(v.GetRe()), len(v.GetIm()))
	}
	if _, err := testSchema(t).Parse("a.yaml", []byte(strings.Replace(source, "re: [", "re: [1, ", 1))); err == nil {
		t.Error("one more was taken")
	}
}
