module github.com/smarthausgroup/caio/plugins/conformance

go 1.26.0

require (
	github.com/smarthausgroup/caio/plugins v0.0.0
	github.com/smarthausgroup/caio/sdk/adapter v0.0.0
)

replace (
	github.com/smarthausgroup/caio/plugins => ../
	github.com/smarthausgroup/caio/sdk/adapter => ../../sdk/adapter
)
