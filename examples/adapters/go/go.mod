module upper

go 1.26.0

require (
	github.com/smarthausgroup/caio/sdk/adapter v0.0.0
	github.com/smarthausgroup/caio/sdk/adaptertest v0.0.0
)

replace (
	github.com/smarthausgroup/caio/sdk/adapter => ../../../sdk/adapter
	github.com/smarthausgroup/caio/sdk/adaptertest => ../../../sdk/adaptertest
)
