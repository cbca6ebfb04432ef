export default { testMatch: ['**/*.jest.mjs'], moduleFileExtensions: ['mjs', 'js'], transform: {} }
