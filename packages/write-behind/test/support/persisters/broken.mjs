throw new Error('no database is configured')
