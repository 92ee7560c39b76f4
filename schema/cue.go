package schema

import "embed"

// CUE holds the rules of contracts, cue/*.cue, package contract: #Contract is the normal form, field by field the proto
// message Contract; #Authored is what people may write. runtime/contract compiles it.
//
//go:embed cue/*.cue
var CUE embed.FS
