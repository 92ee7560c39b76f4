// Package requests holds the example's requests, one file each in the form of `caio decide --request`. README.md of the
// directory above tells their stories.
package requests

import "embed"

// FS holds the files.
//
//go:embed *.json
var FS embed.FS
