package config

import (
	"fmt"

	"go.yaml.in/yaml/v3"

	"github.com/proerror77/nova-staging/internal/strictyaml"
)

// part is one file of a config.
type part struct {
	file string
	root *yaml.Node
	conf Config
}

func parse(file string, data []byte) (*part, error) {
	p := &part{file: file}
	root, err := strictyaml.Decode(file, data, &p.conf)
	if err != nil {
		return nil, err
	}
	p.root = root
	return p, nil
}

// sections are the fields that only one file of a folder may give. Services may
// stand in several.
var sections = []string{"namespace", "release", "deadline", "defaults", "redisSentinel", "kafka"}

// join makes one config of its parts and checks each.
func join(path string, parts []*part) (*Config, error) {
	whole := &Config{APIVersion: APIVersion, Kind: Kind}
	given := map[string]string{}
	var bad Mistakes
	for _, p := range parts {
		v := &validator{file: p.file, root: p.root}
		for i := 0; i+1 < len(p.root.Content); i += 2 {
			name, value := p.root.Content[i].Value, p.root.Content[i+1]
			v.empty(name, value, p.root.Content[i].Line)
			for _, s := range sections {
				if s != name {
					continue
				}
				if first, twice := given[s]; twice {
					v.add(fmt.Sprintf("%s is already given in %s", s, first), name)
				}
				given[s] = p.file
			}
		}
		bad = append(bad, v.bad...)
		whole.take(&p.conf)
	}
	if len(bad) > 0 {
		return nil, bad
	}
	if len(whole.Services) == 0 && whole.RedisSentinel == nil && whole.Kafka == nil {
		return nil, &strictyaml.Error{File: path, Msg: "nothing to look at: give services, redisSentinel or kafka"}
	}
	whole.fill()
	at, seen := 0, map[string]string{}
	for _, p := range parts {
		// Each part is checked with what the whole filled in.
		one := p.conf
		one.Defaults = whole.Defaults
		one.Services = whole.Services[at : at+len(p.conf.Services)]
		at += len(p.conf.Services)
		v := &validator{file: p.file, root: p.root, seen: seen}
		v.config(&one)
		bad = append(bad, v.bad...)
	}
	if len(bad) > 0 {
		return nil, bad
	}
	return whole, nil
}

// empty refuses a name with nothing behind it, however deep: "kafka:" would
// quietly be skipped, "tls:" be plain text, "topics:" none.
func (v *validator) empty(name string, value *yaml.Node, line int) {
	switch {
	case value.Tag == "!!null":
		v.bad = append(v.bad, &strictyaml.Error{File: v.file, Line: line, Msg: name + " is empty: give it a value or leave it out"})
	case value.Kind == yaml.MappingNode:
		for i := 0; i+1 < len(value.Content); i += 2 {
			key := value.Content[i]
			v.empty(name+"."+key.Value, value.Content[i+1], key.Line)
		}
	case value.Kind == yaml.SequenceNode:
		for i, item := range value.Content {
			v.empty(fmt.Sprintf("%s[%d]", name, i), item, item.Line)
		}
	}
}

// take adds what a part gives.
func (c *Config) take(p *Config) {
	or(&c.Namespace, p.Namespace)
	or(&c.Deadline, p.Deadline)
	or(&c.Defaults, p.Defaults)
	or(&c.RedisSentinel, p.RedisSentinel)
	or(&c.Kafka, p.Kafka)
	if p.Release.ConfigMap != nil {
		c.Release = p.Release
	}
	c.Services = append(c.Services, p.Services...)
}
