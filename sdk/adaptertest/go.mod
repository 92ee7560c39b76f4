module github.com/smarthausgroup/caio/sdk/adaptertest

go 1.26.0

require github.com/smarthausgroup/caio/sdk/adapter v0.0.0

replace github.com/smarthausgroup/caio/sdk/adapter => ../adapter
